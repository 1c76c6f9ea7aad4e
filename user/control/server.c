/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket itself: where it lies, who may connect, and how many at once. */
#include "control.h"
#include "peer.h"
#include "session.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SOCKET_MODE 0660
#define BACKLOG	    128

struct control_server {
	uv_pipe_t listener;
	struct session *sessions;
	unsigned int sessions_count;
	bool closing, listener_closed;
	gid_t group; /* (gid_t)-1: none */
	control_handler *handler;
	void *handler_arg;
	unsigned int request_timeout_ms, idle_timeout_ms;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void free_when_done(struct control_server *server)
{
	if (server->closing && server->listener_closed && !server->sessions)
		free(server);
}

static void on_session_gone(struct session *session, void *owner)
{
	struct control_server *server = owner;
	struct session **link = &server->sessions;

	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	server->sessions_count--;
	free(session);
	free_when_done(server);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control_server *server = listener->data;
	struct session *session;
	uv_os_fd_t fd;

	if (status < 0) {
		log_warning("control socket: a connection could not be taken: %s", uv_strerror(status));
		return;
	}
	session = calloc(1, sizeof(*session));
	if (!session)
		return;
	session_open(listener->loop, session);
	session->request_timeout_ms = server->request_timeout_ms;
	session->idle_timeout_ms = server->idle_timeout_ms;
	session->handler = server->handler;
	session->handler_arg = server->handler_arg;
	session->gone = on_session_gone;
	session->owner = server;
	session->next = server->sessions;
	server->sessions = session;
	server->sessions_count++;
	if (uv_accept(listener, (uv_stream_t *)&session->pipe) || uv_fileno((uv_handle_t *)&session->pipe, &fd) ||
	    peer_identify(fd, &session->peer)) {
		session_close(session);
		return;
	}
	if (!peer_is_allowed(fd, &session->peer, server->group)) {
		log_warning("control socket: refused a client of user %u (pid %d)", session->peer.uid,
			    session->peer.pid);
		session_refuse(session, "permission denied", "run as root or as a member of the control group");
	} else if (server->sessions_count > CONTROL_CLIENTS_MAX) {
		session_refuse(session, "the controller has too many clients", "try again in a moment");
	} else {
		session_start(session);
	}
}

static int find_group(const char *name, gid_t *group, struct problem *problem)
{
	struct group entry, *found = NULL;
	char buffer[16384];
	int err;

	if (!name || !*name) {
		*group = (gid_t)-1;
		return 0;
	}
	err = getgrnam_r(name, &entry, buffer, sizeof(buffer), &found);
	if (!found) {
		err = problem_set(problem, err ? -err : -ENOENT, "the control group \"%s\" does not exist", name);
		problem_hint(problem, "create it with `groupadd --system %s`, or leave control.group out", name);
		return err;
	}
	*group = entry.gr_gid;
	return 0;
}

/* Removes a socket that nobody answers at; anything else in its place is left alone. */
static int clear_path(const struct sockaddr_un *address, struct problem *problem)
{
	const char *path = address->sun_path;
	struct control_peer peer = {0};
	AUTO_CLOSE int fd = -1;
	struct stat status;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : problem_set(problem, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(status.st_mode)) {
		problem_set(problem, -EEXIST, "%s is in the control socket's place and is no socket", path);
		problem_hint(problem, "remove it, or name another control.socket");
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return problem_set(problem, -errno, "socket: %s", strerror(errno));
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN) {
		peer_identify(fd, &peer);
		problem_set(problem, -EADDRINUSE, "a controller (pid %d) already answers at %s", peer.pid, path);
		problem_hint(problem, "stop that one first (`kill %d`)", peer.pid);
		return -EADDRINUSE;
	}
	if (errno != ECONNREFUSED)
		return problem_set(problem, -errno, "%s: %s", path, strerror(errno));
	return unlink(path) && errno != ENOENT ? problem_set(problem, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static int make_directory(const char *path)
{
	AUTO_FREE char *directory = strdup(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!directory)
		return -ENOMEM;
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	return file_make_directories(directory, 0755);
}

/* A bound and listening descriptor, >= 0. */
static int make_socket(const char *path, gid_t group, struct problem *problem)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = -1;
	mode_t mask;
	int err;

	memcpy(address.sun_path, path, strlen(path) + 1);
	err = make_directory(path);
	if (err)
		return problem_set(problem, err, "cannot make the directory of %s: %s", path, strerror(-err));
	err = clear_path(&address, problem);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return problem_set(problem, -errno, "socket: %s", strerror(errno));
	/* The mode is right from the first moment: there is no window in which others could connect. */
	mask = umask(0777 & ~SOCKET_MODE);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (err)
		return problem_set(problem, err, "cannot bind %s: %s", path, strerror(-err));
	if ((group != (gid_t)-1 && chown(path, (uid_t)-1, group)) || listen(fd, BACKLOG)) {
		err = problem_set(problem, -errno, "%s: %s", path, strerror(errno));
		unlink(path);
		return err;
	}
	return TAKE_FD(fd);
}

int control_server_open(uv_loop_t *loop, const char *path, const char *group, control_handler *handler, void *arg,
			struct control_server **out, struct problem *problem)
{
	AUTO_FREE struct control_server *server = calloc(1, sizeof(*server));
	AUTO_CLOSE int fd = -1;
	int err;

	if (!server)
		return problem_set(problem, -ENOMEM, "out of memory");
	if (strlen(path) >= sizeof(server->path))
		return problem_set(problem, -ENAMETOOLONG, "%s: longer than a socket's name may be", path);
	memcpy(server->path, path, strlen(path) + 1);
	err = find_group(group, &server->group, problem);
	if (err)
		return err;
	fd = make_socket(server->path, server->group, problem);
	if (fd < 0)
		return fd;
	server->handler = handler;
	server->handler_arg = arg;
	server->request_timeout_ms = CONTROL_REQUEST_TIMEOUT_MS;
	server->idle_timeout_ms = CONTROL_IDLE_TIMEOUT_MS;
	uv_pipe_init(loop, &server->listener, 0);
	server->listener.data = server;
	err = uv_pipe_open(&server->listener, fd);
	if (!err) {
		TAKE_FD(fd);
		err = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
	}
	if (err) {
		control_server_close(TAKE_PTR(server));
		return problem_set(problem, err, "%s: %s", path, uv_strerror(err));
	}
	*out = TAKE_PTR(server);
	return 0;
}

void control_server_set_timeouts(struct control_server *server, unsigned int request_ms, unsigned int idle_ms)
{
	server->request_timeout_ms = request_ms;
	server->idle_timeout_ms = idle_ms;
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct control_server *server = handle->data;

	server->listener_closed = true;
	free_when_done(server);
}

void control_server_close(struct control_server *server)
{
	if (!server || server->closing)
		return;
	server->closing = true;
	unlink(server->path);
	for (struct session *session = server->sessions; session; session = session->next)
		session_close(session);
	uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}
