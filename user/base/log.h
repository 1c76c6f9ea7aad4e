/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines: to standard error, with a priority that systemd understands when it listens, in colour on a terminal. */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* One line: object, action, reason, consequence. No trailing newline in format. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);
void log_set_level(enum log_level level);

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
