#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int varve_listen(const char *address, uint16_t *port, int backlog) {
    struct sockaddr_storage storage;
    socklen_t length;
    memset(&storage, 0, sizeof storage);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(*port);
        length = sizeof *v4;
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(*port);
        length = sizeof *v6;
    } else {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // All addresses of a machine without IPv6 are its IPv4 ones.
    if (fd < 0 && errno == EAFNOSUPPORT && strcmp(address, "::") == 0) return varve_listen("0.0.0.0", port, backlog);
    if (fd < 0) return -1;
    // A restarted server takes its port although connections of the last one linger; `::` serves IPv4 too.
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&storage, length) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&storage, &length) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *port = ntohs(storage.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
    return fd;
}

int varve_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int on = 1;
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

int varve_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int varve_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int varve_epoll_watch(int epoll, int descriptor, uint64_t key, uint32_t events, int is_known) {
    struct epoll_event event = {.data.u64 = key};
    if (events & VARVE_READABLE) event.events |= EPOLLIN | EPOLLRDHUP;
    if (events & VARVE_WRITABLE) event.events |= EPOLLOUT;
    if (events & VARVE_HANGUP) event.events |= EPOLLRDHUP;
    return epoll_ctl(epoll, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event);
}

void varve_epoll_forget(int epoll, int descriptor) { epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int varve_epoll_wait(int epoll, struct varve_event *events, int capacity, int timeout) {
    struct epoll_event found[64];
    int count = epoll_wait(epoll, found, capacity < 64 ? capacity : 64, timeout);
    for (int i = 0; i < count; i++) {
        uint32_t mask = 0;
        if (found[i].events & (EPOLLIN | EPOLLRDHUP)) mask |= VARVE_READABLE;
        if (found[i].events & EPOLLOUT) mask |= VARVE_WRITABLE;
        if (found[i].events & EPOLLRDHUP) mask |= VARVE_HANGUP;
        if (found[i].events & (EPOLLERR | EPOLLHUP)) mask |= VARVE_BROKEN;
        events[i].key = found[i].data.u64;
        events[i].events = mask;
    }
    return count < 0 ? 0 : count;
}

int varve_wakeup_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void varve_wakeup_signal(int descriptor) { eventfd_write(descriptor, 1); }

void varve_wakeup_clear(int descriptor) {
    eventfd_t count;
    eventfd_read(descriptor, &count);
}

uint32_t varve_wait_for(int descriptor, uint32_t events, int timeout) {
    struct pollfd entry = {.fd = descriptor};
    if (events & VARVE_READABLE) entry.events |= POLLIN;
    if (events & VARVE_WRITABLE) entry.events |= POLLOUT;
    if (poll(&entry, 1, timeout) <= 0) return 0;
    uint32_t mask = 0;
    if (entry.revents & POLLIN) mask |= VARVE_READABLE;
    if (entry.revents & POLLOUT) mask |= VARVE_WRITABLE;
    if (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) mask |= VARVE_BROKEN;
    return mask;
}

void varve_shut_down(int socket) { shutdown(socket, SHUT_RDWR); }

int varve_sync_file_system(int descriptor) { return syncfs(descriptor); }
