#pragma once
// libmicrohttpd for Swift, which cannot call variadic functions, and the few calls on sockets that go with it.

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

struct varve_http_options {
    unsigned int connection_limit;
    unsigned int idle_timeout_seconds;
    size_t connection_memory;
    size_t thread_stack;
};

// What the server calls, each with `context` first. `begin` receives the request's target as it was sent, once its first line is
// there, and returns the request's own context.
struct varve_http_callbacks {
    void *context;
    void *(*begin)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback handle;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void (*report)(void *context, const char *message);
};

// Serves each connection of a listening socket, which is its own from then on, by a thread of its own. Null on failure, with errno
// set. `callbacks` must live as long as the daemon.
struct MHD_Daemon *varve_http_start(
    int listener, const struct varve_http_options *options, const struct varve_http_callbacks *callbacks);

// Stops accepting; what is open goes on.
void varve_http_quiesce(struct MHD_Daemon *daemon);

// Sets how long the connection may be idle; zero is for ever. Leaving zero starts the time anew.
void varve_http_set_timeout(struct MHD_Connection *connection, unsigned int seconds);

// The connection's socket, or -1.
int varve_http_socket(struct MHD_Connection *connection);

// Nonzero once the other side has closed its side or the connection is broken.
int varve_socket_is_closed(int socket);
void varve_sleep_milliseconds(int milliseconds);

// Ends both directions; the descriptor stays open.
void varve_socket_shut_down(int socket);

// Bytes read; 0 if the connection is closed or broken; -1 if nothing arrived in time.
ptrdiff_t varve_socket_read(int socket, void *buffer, size_t capacity, int timeout_milliseconds);
// Nonzero if everything was sent; each wait for room takes at most `timeout_milliseconds`.
int varve_socket_write(int socket, const void *bytes, size_t count, int timeout_milliseconds);

// Ends a connection that was taken over.
void varve_http_close_upgrade(struct MHD_UpgradeResponseHandle *handle);

size_t varve_string_length(const char *text);
