/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CR_THREAD_H
#define CR_THREAD_H

#include <pthread.h>

/**
 * thread_start - pthread_create(3) of a thread that gets no signals
 *
 * Signals are for the program's own threads: what a library starts would take those that
 * others wait for in sigwait(3), or end the program by one that they block.
 * Return: 0, or a negative errno.
 */
int thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

/**
 * rwlock_init - pthread_rwlock_init(3) of a lock whose writers do not wait for ever
 *
 * However many readers come: those that come later wait for a writer that waits.  So
 * nobody takes it for reading twice.
 */
void rwlock_init(pthread_rwlock_t *lock);

#endif
