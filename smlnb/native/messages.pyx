# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Messages of librdkafka, many at once, straight into columns."""

from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import numpy as np

FUNCTIONS = (  # those that a queue calls
    "rd_kafka_consume_batch_queue",
    "rd_kafka_err2str",
    "rd_kafka_header_get_all",
    "rd_kafka_message_destroy",
    "rd_kafka_message_headers",
    "rd_kafka_message_timestamp",
    "rd_kafka_queue_destroy",
    "rd_kafka_queue_forward",
    "rd_kafka_queue_get_partition",
    "rd_kafka_queue_new",
    "rd_kafka_topic_name",
)

# rd_kafka_message_t as rdkafka.h declares it; part of librdkafka's binary interface since version 0.8
cdef struct Message:
    int err
    void* topic
    int32_t partition
    void* value
    size_t value_size
    void* key
    size_t key_size
    int64_t offset  # of an error: where it stands
    void* private

ctypedef Py_ssize_t (*ConsumeBatch)(void*, int, Message**, size_t) noexcept nogil
ctypedef void (*MessageDestroy)(Message*) noexcept nogil
ctypedef int64_t (*MessageTimestamp)(const Message*, int*) noexcept nogil
ctypedef const char* (*TopicName)(const void*) noexcept nogil
ctypedef const char* (*ErrorText)(int) noexcept nogil
ctypedef int (*MessageHeaders)(const Message*, void**) noexcept nogil
ctypedef int (*HeaderGet)(const void*, size_t, const char**, const void**, size_t*) noexcept nogil
ctypedef void* (*QueueNew)(void*) noexcept nogil
ctypedef void* (*QueueOfPartition)(void*, const char*, int32_t) noexcept nogil
ctypedef void (*QueueForward)(void*, void*) noexcept nogil
ctypedef void (*QueueDestroy)(void*) noexcept nogil


cdef class Queue:
    """A queue of a client's, and the partitions whose messages are sent to it.

    Parameters
    ----------
    client : int
        The address of the rd_kafka_t.
    functions : mapping of str to int
        The addresses of FUNCTIONS.
    size : int
        How many messages are taken at once, at most.
    """

    cdef void* _client
    cdef void* _queue
    cdef Message** _messages
    cdef readonly size_t size
    cdef ConsumeBatch _consume_batch
    cdef MessageDestroy _message_destroy
    cdef MessageTimestamp _message_timestamp
    cdef MessageHeaders _message_headers
    cdef HeaderGet _header_get
    cdef TopicName _topic_name
    cdef ErrorText _error_text
    cdef QueueOfPartition _queue_of_partition
    cdef QueueForward _queue_forward
    cdef QueueDestroy _queue_destroy

    def __cinit__(self, uintptr_t client, functions, size_t size):
        self._consume_batch = <ConsumeBatch><uintptr_t>functions["rd_kafka_consume_batch_queue"]
        self._message_destroy = <MessageDestroy><uintptr_t>functions["rd_kafka_message_destroy"]
        self._message_timestamp = <MessageTimestamp><uintptr_t>functions["rd_kafka_message_timestamp"]
        self._message_headers = <MessageHeaders><uintptr_t>functions["rd_kafka_message_headers"]
        self._header_get = <HeaderGet><uintptr_t>functions["rd_kafka_header_get_all"]
        self._topic_name = <TopicName><uintptr_t>functions["rd_kafka_topic_name"]
        self._error_text = <ErrorText><uintptr_t>functions["rd_kafka_err2str"]
        self._queue_of_partition = <QueueOfPartition><uintptr_t>functions["rd_kafka_queue_get_partition"]
        self._queue_forward = <QueueForward><uintptr_t>functions["rd_kafka_queue_forward"]
        self._queue_destroy = <QueueDestroy><uintptr_t>functions["rd_kafka_queue_destroy"]
        self._messages = <Message**>malloc(size * sizeof(Message*))
        if self._messages == NULL:
            raise MemoryError
        self.size = size
        self._client = <void*>client
        self._queue = (<QueueNew><uintptr_t>functions["rd_kafka_queue_new"])(self._client)

    def __dealloc__(self):
        free(self._messages)

    def close(self):
        """Give the queue back; what is in it is forgotten. The client must be there still."""
        if self._queue != NULL:
            with nogil:
                self._queue_destroy(self._queue)
            self._queue = NULL

    def redirect(self, topic, int32_t partition):
        """Let further messages of a partition come by this queue."""
        cdef bytes name = topic.encode()
        cdef void* found = self._queue_of_partition(self._client, name, partition)
        if found != NULL:
            if self._queue != NULL:
                self._queue_forward(found, self._queue)
            self._queue_destroy(found)  # the reference, not the queue

    def take(self, int timeout, bint with_headers):
        """Return what has come within so many milliseconds, or as soon as ``size`` messages have.

        Returns
        -------
        None if nothing has come, or

        arrivals : list of (topic, partition, rows)
            The rows of one partition, as a slice of the arrays; or of an error its code, text and offset.
        offsets, times : array of int64, shape (rows,)
            The times in milliseconds since 1970, -1 where there is none.
        values, keys : tuple of arrays
            As :class:`smlnb.formats.payloads.Payloads` takes them.
        headers : list or None
            Of each row, a list of (name, value) or None; if they are wanted, and some row has any.
        """
        cdef Py_ssize_t n
        if self._queue == NULL:
            return None
        with nogil:
            n = self._consume_batch(self._queue, timeout, self._messages, self.size)
        if n <= 0:
            return None
        try:
            return self._columns(n, with_headers)
        finally:
            with nogil:
                self._destroy(n)

    cdef void _destroy(self, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            self._message_destroy(self._messages[i])

    cdef object _columns(self, Py_ssize_t n, bint with_headers):
        cdef Py_ssize_t i, rows = 0, no_value = 0, no_key = 0
        cdef size_t value_bytes = 0, key_bytes = 0
        cdef Message* message
        with nogil:
            for i in range(n):
                message = self._messages[i]
                if message.err == 0:
                    rows += 1
                    if message.value != NULL:
                        value_bytes += message.value_size
                    else:
                        no_value += 1
                    if message.key != NULL:
                        key_bytes += message.key_size
                    else:
                        no_key += 1
        offsets, times = np.empty(rows, np.int64), np.empty(rows, np.int64)
        values, value_bounds = np.empty(value_bytes, np.uint8), np.empty(rows + 1, np.int64)
        keys, key_bounds = np.empty(key_bytes, np.uint8), np.empty(rows + 1, np.int64)
        lacks_value, lacks_key = np.empty(rows, np.uint8), np.empty(rows, np.uint8)
        if rows:
            self._copy(n, offsets, times, values, value_bounds, lacks_value, keys, key_bounds, lacks_key)
        headers = None
        if with_headers and self._any_headers(n):
            headers = [self._headers(self._messages[i]) for i in range(n) if self._messages[i].err == 0]
        return (
            self._runs(n),
            offsets,
            times,
            (values, value_bounds, lacks_value.view(bool) if no_value else None),
            (keys, key_bounds, lacks_key.view(bool) if no_key else None),
            headers,
        )

    cdef void _copy(
        self,
        Py_ssize_t n,
        int64_t[::1] offsets,
        int64_t[::1] times,
        unsigned char[::1] values,
        int64_t[::1] value_bounds,
        unsigned char[::1] lacks_value,
        unsigned char[::1] keys,
        int64_t[::1] key_bounds,
        unsigned char[::1] lacks_key,
    ):
        cdef Py_ssize_t i, row = 0
        cdef size_t value_at = 0, key_at = 0
        cdef int kind
        cdef Message* message
        cdef unsigned char* value_bytes = &values[0] if values.shape[0] else NULL
        cdef unsigned char* key_bytes = &keys[0] if keys.shape[0] else NULL
        value_bounds[0] = key_bounds[0] = 0
        with nogil:
            for i in range(n):
                message = self._messages[i]
                if message.err != 0:
                    continue
                offsets[row] = message.offset
                times[row] = self._message_timestamp(message, &kind)
                lacks_value[row] = message.value == NULL
                if message.value != NULL and message.value_size:
                    memcpy(value_bytes + value_at, message.value, message.value_size)
                    value_at += message.value_size
                lacks_key[row] = message.key == NULL
                if message.key != NULL and message.key_size:
                    memcpy(key_bytes + key_at, message.key, message.key_size)
                    key_at += message.key_size
                row += 1
                value_bounds[row] = value_at
                key_bounds[row] = key_at

    cdef list _runs(self, Py_ssize_t n):
        """Return the runs of one partition, and the errors, in their order."""
        cdef Py_ssize_t i = 0, rows = 0, first
        cdef Message* message
        cdef Message* begin
        cdef list found = []
        while i < n:
            begin = self._messages[i]
            topic = self._topic_name(begin.topic).decode() if begin.topic != NULL else None
            if begin.err != 0:
                text = <bytes>self._error_text(begin.err)
                if begin.value != NULL:
                    text = (<const char*>begin.value)[: begin.value_size]
                found.append((topic, begin.partition, (begin.err, text.decode("utf-8", "replace"), begin.offset)))
                i += 1
                continue
            first = rows
            while i < n:
                message = self._messages[i]
                if message.err != 0 or message.topic != begin.topic or message.partition != begin.partition:
                    break
                i += 1
                rows += 1
            found.append((topic, begin.partition, slice(first, rows)))
        return found

    cdef bint _any_headers(self, Py_ssize_t n) noexcept:
        """Say whether there are any; asking costs as much per message as all else, as librdkafka allocates for it."""
        cdef Py_ssize_t i
        cdef void* headers
        with nogil:
            for i in range(n):
                if self._messages[i].err == 0 and self._message_headers(self._messages[i], &headers) == 0:
                    return True
        return False

    cdef object _headers(self, Message* message):
        cdef void* headers = NULL
        cdef const char* name
        cdef const void* value
        cdef size_t size, i = 0
        if self._message_headers(message, &headers) != 0:
            return None
        found = []
        while self._header_get(headers, i, &name, &value, &size) == 0:
            content = None if value == NULL else (<const char*>value)[:size]
            found.append((name.decode("utf-8", "replace"), content))
            i += 1
        return found
