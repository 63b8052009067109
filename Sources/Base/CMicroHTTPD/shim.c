#define _GNU_SOURCE
#include "CMicroHTTPD.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void report(void *context, const char *format, va_list arguments) {
    const struct varve_http_callbacks *callbacks = context;
    char message[300];
    vsnprintf(message, sizeof message, format, arguments);
    callbacks->report(callbacks->context, message);
}

static void *begin(void *context, const char *target, struct MHD_Connection *connection) {
    const struct varve_http_callbacks *callbacks = context;
    return callbacks->begin(callbacks->context, target, connection);
}

// Paths are decoded by their reader, segment by segment.
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

struct MHD_Daemon *varve_http_start(
    int listener, const struct varve_http_options *options, const struct varve_http_callbacks *callbacks) {
    unsigned int flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
                         MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, callbacks->handle, callbacks->context,
        MHD_OPTION_EXTERNAL_LOGGER, report, callbacks,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener,
        MHD_OPTION_URI_LOG_CALLBACK, begin, callbacks,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, callbacks->completed, callbacks->context,
        MHD_OPTION_NOTIFY_CONNECTION, callbacks->connection, callbacks->context,
        MHD_OPTION_CONNECTION_LIMIT, options->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_memory,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)16384,
        MHD_OPTION_THREAD_STACK_SIZE, options->thread_stack,
        MHD_OPTION_END);
    if (daemon == NULL) {
        int saved = errno;
        close(listener);
        errno = saved == 0 ? ENOMEM : saved;
    }
    return daemon;
}

void varve_http_quiesce(struct MHD_Daemon *daemon) {
    MHD_socket fd = MHD_quiesce_daemon(daemon);
    if (fd != MHD_INVALID_SOCKET) close(fd);
}

void varve_http_set_timeout(struct MHD_Connection *connection, unsigned int seconds) {
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

void varve_socket_shut_down(int socket) { shutdown(socket, SHUT_RDWR); }

int varve_http_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : (int)info->connect_fd;
}

int varve_socket_is_closed(int socket) {
    struct pollfd entry = {.fd = socket, .events = POLLRDHUP};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void varve_sleep_milliseconds(int milliseconds) {
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

ptrdiff_t varve_socket_read(int socket, void *buffer, size_t capacity, int timeout_milliseconds) {
    for (;;) {
        ssize_t count = recv(socket, buffer, capacity, MSG_DONTWAIT);
        if (count >= 0) return count;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return 0;
        struct pollfd entry = {.fd = socket, .events = POLLIN};
        int ready = poll(&entry, 1, timeout_milliseconds);
        if (ready == 0 || (ready < 0 && errno == EINTR)) return -1;
        if (ready < 0) return 0;
    }
}

int varve_socket_write(int socket, const void *bytes, size_t count, int timeout_milliseconds) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t sent = send(socket, next, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            next += sent;
            count -= (size_t)sent;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return 0;
        struct pollfd entry = {.fd = socket, .events = POLLOUT};
        int ready = poll(&entry, 1, timeout_milliseconds);
        if (ready == 0 || (ready < 0 && errno != EINTR)) return 0;
    }
    return 1;
}

void varve_http_close_upgrade(struct MHD_UpgradeResponseHandle *handle) {
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

size_t varve_string_length(const char *text) { return strlen(text); }
