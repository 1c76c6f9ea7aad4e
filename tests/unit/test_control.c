/* SPDX-License-Identifier: BSD-2-Clause */
/* The control protocol: the frame codec as a table, and a server on a loop with real clients in threads. */
#include "control_fixture.h"
#include <signal.h>

static void frame_decode_table(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t size;
		ssize_t expected;
	} table[] = {
		{"nothing", "", 0, 0},
		{"part of the header", "\0\0\0", 3, 0},
		{"a header alone", "\0\0\0\2", 4, 0},
		{"part of the body", "\0\0\0\2{", 5, 0},
		{"the smallest object", "\0\0\0\2{}", 6, 6},
		{"more after the frame", "\0\0\0\2{}\0\0", 8, 6},
		{"an empty body", "\0\0\0\0", 4, -EBADMSG},
		{"an array", "\0\0\0\2[]", 6, -EBADMSG},
		{"not JSON", "\0\0\0\2xx", 6, -EBADMSG},
		{"two objects in one frame", "\0\0\0\4{}{}", 8, -EBADMSG},
		{"a key twice", "\0\0\0\15{\"a\":1,\"a\":1}", 17, -EBADMSG},
		{"a NUL byte in the body", "\0\0\0\3{}\0", 7, -EBADMSG},
		{"invalid UTF-8", "\0\0\0\7{\"\xff\":1}", 11, -EBADMSG},
		{"the largest length", "\1\0\0\0", 4, 0},
		{"one more than the largest", "\1\0\0\1", 4, -EMSGSIZE},
		{"text in the header's place", "GET / HTTP/1.1\r\n", 16, -EMSGSIZE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		json_t *json = NULL;
		ssize_t got = control_frame_decode(table[i].bytes, table[i].size, &json);

		if (got != table[i].expected)
			fail_msg("%s: %zd instead of %zd", table[i].what, got, table[i].expected);
		assert_int_equal(json != NULL, got > 0);
		json_decref(json);
	}
}

static void frame_encode_round_trip(void **state)
{
	json_t *json = json_pack("{s:s, s:[i,i]}", "text", "\xc3\xa4 \"quoted\"", "list", 1, 2), *back = NULL;
	AUTO_FREE void *frame = NULL;
	size_t size;

	(void)state;
	assert_int_equal(control_frame_encode(json, &frame, &size), 0);
	assert_int_equal(control_frame_decode(frame, size, &back), (ssize_t)size);
	assert_true(json_equal(json, back));
	json_decref(json);
	json_decref(back);
}

static void call_round_trip(void **state)
{
	json_t *arguments = json_pack("{s:s}", "name", "cache1"), *result = NULL;
	struct fixture fixture = {0};
	struct problem problem = {0};
	struct stat status;

	(void)state;
	open_server(&fixture, 5000, 5000);
	assert_int_equal(stat(fixture.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(control_call(fixture.path, "echo", arguments, DEADLINE_MS, &result, &problem), 0);
	assert_true(json_equal(json_object_get(result, "arguments"), arguments));
	assert_int_equal(json_integer_value(json_object_get(result, "uid")), (int)geteuid());
	json_decref(result);
	assert_int_equal(control_call(fixture.path, "nonsense", NULL, DEADLINE_MS, &result, &problem), -EREMOTEIO);
	assert_string_equal(problem.text, "unknown command \"nonsense\"");
	assert_string_equal(problem.hint, "try echo");
	assert_int_equal(control_call(fixture.path, "large", NULL, DEADLINE_MS, &result, &problem), 0);
	assert_int_equal(json_string_length(json_object_get(result, "text")), 3 << 20);
	json_decref(result);
	json_decref(arguments);
	close_server(&fixture);
}

static void call_large_request(void **state)
{
	json_t *arguments = json_object(), *list = json_array(), *result = NULL;
	struct fixture fixture = {0};
	struct problem problem = {0};

	(void)state;
	for (int i = 0; i < 200000; i++)
		json_array_append_new(list, json_sprintf("2001:db8:%x:%x::/64", i >> 16, i & 0xffff));
	json_object_set_new(arguments, "prefixes", list);
	open_server(&fixture, DEADLINE_MS, DEADLINE_MS);
	assert_int_equal(control_call(fixture.path, "echo", arguments, DEADLINE_MS, &result, &problem), 0);
	assert_int_equal(json_array_size(json_object_get(json_object_get(result, "arguments"), "prefixes")), 200000);
	json_decref(result);
	json_decref(arguments);
	close_server(&fixture);
}

static void call_without_server(void **state)
{
	struct problem problem = {0};
	json_t *result = NULL;

	(void)state;
	assert_int_equal(control_call("/tmp/weir-no-such-socket", "echo", NULL, 1000, &result, &problem), -ENOENT);
	assert_non_null(strstr(problem.hint, "weir run"));
	assert_null(result);
}

static void connection_carries_several_requests(void **state)
{
	static const char two[] = "\0\0\0\22{\"command\":\"echo\"}\0\0\0\22{\"command\":\"echo\"}";
	struct fixture fixture = {0};
	char answer[512];
	size_t filled = 0;
	int answers = 0, fd;

	(void)state;
	open_server(&fixture, 5000, 5000);
	fd = connect_raw(fixture.path);
	assert_int_equal(send(fd, two, sizeof(two) - 1, 0), sizeof(two) - 1);
	while (answers < 2) {
		json_t *json = NULL;
		ssize_t used = control_frame_decode(answer, filled, &json);

		assert_true(used >= 0);
		if (!used) {
			ssize_t got = receive(fd, answer + filled, sizeof(answer) - filled);

			assert_true(got > 0);
			filled += (size_t)got;
			continue;
		}
		assert_true(json_is_true(json_object_get(json, "ok")));
		json_decref(json);
		filled -= (size_t)used;
		memmove(answer, answer + used, filled);
		answers++;
	}
	close(fd);
	close_server(&fixture);
}

static void refused_with_an_error_frame(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t size;
		const char *expected;
	} table[] = {
		{"an oversize frame", "\1\0\0\1xx", 6, "the request is too large"},
		{"garbage", "\0\0\0\4spam", 8, "not a frame of JSON"},
		{"an HTTP request", "GET / HTTP/1.1\r\n\r\n", 18, "the request is too large"},
	};
	struct fixture fixture = {0};

	(void)state;
	open_server(&fixture, 5000, 5000);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int fd = connect_raw(fixture.path);
		json_t *json = NULL;
		char answer[512];
		size_t size;

		assert_int_equal(send(fd, table[i].bytes, table[i].size, MSG_NOSIGNAL), table[i].size);
		size = read_to_end(fd, answer, sizeof(answer));
		assert_int_equal(control_frame_decode(answer, size, &json), (ssize_t)size);
		assert_string_equal(json_string_value(json_object_get(json, "error")), table[i].expected);
		json_decref(json);
		close(fd);
	}
	close_server(&fixture);
}

static void silent_client_closed_by_deadline(void **state)
{
	struct fixture fixture = {0};
	char answer[16];
	int fd;

	(void)state;
	open_server(&fixture, DEADLINE_MS * 2, 50);
	fd = connect_raw(fixture.path);
	assert_int_equal(read_to_end(fd, answer, sizeof(answer)), 0);
	close(fd);
	close_server(&fixture);
}

static void slow_frame_closed_by_deadline(void **state)
{
	struct fixture fixture = {0};
	struct timeval patience = {.tv_usec = 10000};
	ssize_t got;
	char byte;
	int fd;

	(void)state;
	open_server(&fixture, 100, DEADLINE_MS * 2);
	fd = connect_raw(fixture.path);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(send(fd, "\0\0\1\0", 4, 0), 4);
	/* A byte now and then must not keep the connection alive: 252 bytes at 10 ms each exceed the deadline. */
	do {
		send(fd, "{", 1, MSG_NOSIGNAL);
		got = receive(fd, &byte, 1);
	} while (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
	assert_true(got == 0 || errno == ECONNRESET || errno == EPIPE);
	close(fd);
	close_server(&fixture);
}

static void client_beyond_the_cap_refused(void **state)
{
	struct fixture fixture = {0};
	struct problem problem = {0};
	int fds[CONTROL_CLIENTS_MAX];
	json_t *result = NULL;
	int err;

	(void)state;
	open_server(&fixture, DEADLINE_MS * 2, DEADLINE_MS * 2);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = connect_raw(fixture.path);
	err = control_call(fixture.path, "echo", NULL, DEADLINE_MS, &result, &problem);
	assert_int_equal(err, -EREMOTEIO);
	assert_string_equal(problem.text, "the controller has too many clients");
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	/* The server notices the closed ones soon. */
	for (int i = 0; err && i < 1000; i++)
		err = control_call(fixture.path, "echo", NULL, DEADLINE_MS, &result, &problem);
	assert_int_equal(err, 0);
	json_decref(result);
	close_server(&fixture);
}

#define STRANGER 65534

/* The result of a call as another user, with one supplementary group (0: none), negated. */
static int call_as_stranger(const char *path, gid_t group)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		struct problem problem = {0};
		json_t *result = NULL;

		if (setgroups(group ? 1 : 0, &group) || setgid(STRANGER) || setuid(STRANGER))
			_exit(255);
		_exit(-control_call(path, "echo", NULL, DEADLINE_MS, &result, &problem));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void peer_allowed_by_user_and_group(void **state)
{
	struct fixture fixture = {0};
	struct group *daemon = getgrnam("daemon");
	gid_t group;

	(void)state;
	if (geteuid() || !daemon) {
		print_message("needs root and a group named daemon\n");
		skip();
	}
	group = daemon->gr_gid;
	open_server_for(&fixture, "daemon", 5000, 5000);
	assert_int_equal(chmod(fixture.directory, 0755), 0);
	assert_int_equal(call_as_stranger(fixture.path, 0), EACCES);
	assert_int_equal(call_as_stranger(fixture.path, group), 0);
	/* Were the mode ever widened, the peer's credentials would still count. */
	assert_int_equal(chmod(fixture.path, 0666), 0);
	assert_int_equal(call_as_stranger(fixture.path, 0), EREMOTEIO);
	close_server(&fixture);
}

/* Whatever an answer holds, the client gets one. */
static void call_answer_that_no_frame_takes_is_an_error(void **state)
{
	struct fixture fixture = {0};
	struct problem problem = {0};
	json_t *result = NULL;

	(void)state;
	open_server(&fixture, 5000, 5000);
	assert_int_equal(control_call(fixture.path, "oversize", NULL, DEADLINE_MS, &result, &problem), -EREMOTEIO);
	assert_string_equal(problem.text, "the answer is larger than 16 MiB, the most that a frame takes");
	assert_int_equal(control_call(fixture.path, "garbled", NULL, DEADLINE_MS, &result, &problem), -EREMOTEIO);
	assert_string_equal(problem.text, "/tmp/?: no such file");
	assert_null(result);
	close_server(&fixture);
}

static void socket_stale_is_replaced_live_is_not(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct control_server *first = NULL, *second = NULL;
	struct problem problem = {0};
	uv_loop_t loop;
	char pid[32];
	int fd;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/weir-control-stale-%d.sock", getpid());
	unlink(address.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(control_server_open(&loop, address.sun_path, NULL, handle, NULL, &first, &problem), 0);
	assert_int_equal(control_server_open(&loop, address.sun_path, NULL, handle, NULL, &second, &problem),
			 -EADDRINUSE);
	snprintf(pid, sizeof(pid), "pid %d", getpid());
	assert_non_null(strstr(problem.text, pid));
	assert_null(second);
	control_server_close(first);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void socket_place_taken_by_a_file_left_alone(void **state)
{
	char path[] = "/tmp/weir-control-file-XXXXXX";
	struct control_server *server = NULL;
	struct problem problem = {0};
	int fd = mkstemp(path);
	uv_loop_t loop;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(control_server_open(&loop, path, NULL, handle, NULL, &server, &problem), -EEXIST);
	assert_int_equal(control_server_open(&loop, "/tmp/weir-no-group/control.sock", "no-such-group-here", handle,
					     NULL, &server, &problem),
			 -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void send_frame(int fd, const char *command)
{
	json_t *json = json_pack("{s:s}", "command", command);
	AUTO_FREE void *frame = NULL;
	size_t size;

	assert_int_equal(control_frame_encode(json, &frame, &size), 0);
	assert_int_equal(send(fd, frame, size, 0), (ssize_t)size);
	json_decref(json);
}

/* Longer than the deadlines for requests and idle clients, and others are served meanwhile. */
static void answer_that_comes_later_holds_up_nobody(void **state)
{
	struct fixture fixture = {0};
	struct problem problem = {0};
	json_t *result = NULL;
	char text[256] = "";
	int waiting, silent;

	(void)state;
	open_server(&fixture, 100, 100);
	waiting = connect_raw(fixture.path);
	send_frame(waiting, "later");
	silent = connect_raw(fixture.path); /* the deadline of 100 ms ends it */
	assert_int_equal(read_to_end(silent, text, sizeof(text)), 0);
	close(silent);
	assert_int_equal(control_call(fixture.path, "release", NULL, DEADLINE_MS, &result, &problem), 0);
	json_decref(result);
	assert_true(receive(waiting, text, sizeof(text) - 1) > 4);
	assert_non_null(strstr(text + 4, "\"released\""));
	send_frame(waiting, "echo");
	assert_true(receive(waiting, text, sizeof(text) - 1) > 4);
	assert_non_null(strstr(text + 4, "\"arguments\""));
	close(waiting);
	close_server(&fixture);
}

static void answer_that_comes_after_the_client_is_gone_is_let_go(void **state)
{
	struct fixture fixture = {0};
	struct problem problem = {0};
	json_t *result = NULL;
	int waiting;

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as the controller does */
	open_server(&fixture, DEADLINE_MS, DEADLINE_MS);
	for (int i = 0; i < 2; i++) { /* a server that closes is the second way to go */
		waiting = connect_raw(fixture.path);
		send_frame(waiting, "later");
		/* Once this is answered, "later" has been read. */
		assert_int_equal(control_call(fixture.path, "echo", NULL, DEADLINE_MS, &result, &problem), 0);
		json_decref(result);
		if (i)
			break;
		close(waiting);
		assert_int_equal(control_call(fixture.path, "release", NULL, DEADLINE_MS, &result, &problem), 0);
		json_decref(result);
	}
	close_server(&fixture);
	assert_null(fixture.later->session);
	control_answer(fixture.later, json_object(), &problem);
	close(waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_decode_table),
		cmocka_unit_test(frame_encode_round_trip),
		cmocka_unit_test(call_round_trip),
		cmocka_unit_test(call_large_request),
		cmocka_unit_test(call_answer_that_no_frame_takes_is_an_error),
		cmocka_unit_test(call_without_server),
		cmocka_unit_test(connection_carries_several_requests),
		cmocka_unit_test(answer_that_comes_later_holds_up_nobody),
		cmocka_unit_test(answer_that_comes_after_the_client_is_gone_is_let_go),
		cmocka_unit_test(refused_with_an_error_frame),
		cmocka_unit_test(silent_client_closed_by_deadline),
		cmocka_unit_test(slow_frame_closed_by_deadline),
		cmocka_unit_test(client_beyond_the_cap_refused),
		cmocka_unit_test(peer_allowed_by_user_and_group),
		cmocka_unit_test(socket_stale_is_replaced_live_is_not),
		cmocka_unit_test(socket_place_taken_by_a_file_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
