# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Messages of librdkafka, many at once, straight into columns."""

cimport cython
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset, strlen

from time import monotonic

import numpy as np

FUNCTIONS = (  # those that a queue calls
    "rd_kafka_consume_callback_queue",
    "rd_kafka_err2str",
    "rd_kafka_header_get_all",
    "rd_kafka_headers_destroy",
    "rd_kafka_message_detach_headers",
    "rd_kafka_message_timestamp",
    "rd_kafka_queue_destroy",
    "rd_kafka_queue_forward",
    "rd_kafka_queue_get_partition",
    "rd_kafka_queue_new",
    "rd_kafka_topic_name",
    "rd_kafka_yield",
)

cdef size_t KEPT = 4 << 20  # bytes of room for values that stay from one call to the next

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

ctypedef void (*Arrived)(Message*, void*) noexcept nogil
ctypedef int (*ConsumeCallback)(void*, int, Arrived, void*) noexcept nogil
ctypedef void (*Yield)(void*) noexcept nogil
ctypedef int64_t (*MessageTimestamp)(const Message*, int*) noexcept nogil
ctypedef const char* (*TopicName)(const void*) noexcept nogil
ctypedef const char* (*ErrorText)(int) noexcept nogil
ctypedef int (*DetachHeaders)(Message*, void**) noexcept nogil
ctypedef int (*HeaderGet)(const void*, size_t, const char**, const void**, size_t*) noexcept nogil
ctypedef void (*HeadersDestroy)(void*) noexcept nogil
ctypedef void* (*QueueNew)(void*) noexcept nogil
ctypedef void* (*QueueOfPartition)(void*, const char*, int32_t) noexcept nogil
ctypedef void (*QueueForward)(void*, void*) noexcept nogil
ctypedef void (*QueueDestroy)(void*) noexcept nogil

cdef struct Bytes:
    char* at
    size_t used
    size_t room

cdef struct Span:  # of the texts
    size_t begin
    size_t end

# the rows of one partition, one after the other; or an error
cdef struct Mark:
    void* topic  # only to be compared: who it belongs to may be gone
    Span name
    int32_t partition
    size_t row  # the first
    int err
    int64_t offset
    Span reason

cdef struct Columns:
    void* client
    Yield stop
    MessageTimestamp timestamp
    TopicName topic_name
    ErrorText error_text
    DetachHeaders detach_headers
    size_t size  # messages at most
    size_t weight  # bytes of values and keys, after which it is enough
    bint with_headers
    bint failed  # for want of memory
    size_t count  # messages, and errors
    size_t rows
    size_t marked
    Mark* marks
    int64_t* offsets
    int64_t* times
    int64_t* value_bounds
    int64_t* key_bounds
    unsigned char* lacks_value
    unsigned char* lacks_key
    size_t no_value
    size_t no_key
    void** headers
    size_t headed  # rows with headers
    Bytes values
    Bytes keys
    Bytes texts


cdef bint append(Bytes* to, const void* data, size_t size) noexcept nogil:
    cdef size_t room = to.room
    cdef char* at
    if size > room - to.used:
        while size > room - to.used:
            room = 2 * room if room else 4096
        at = <char*>realloc(to.at, room)
        if at == NULL:
            return False
        to.at, to.room = at, room
    if size:
        memcpy(to.at + to.used, data, size)
        to.used += size
    return True


cdef bint append_text(Columns* columns, const char* text, size_t size, Span* to) noexcept nogil:
    to.begin = columns.texts.used
    to.end = to.begin + size
    return append(&columns.texts, text, size)


cdef bint add_mark(Columns* columns, Message* message) noexcept nogil:
    """Begin a run of a partition's rows, or note an error."""
    cdef Mark* last = columns.marks + columns.marked - 1 if columns.marked else NULL
    cdef Mark* mark = columns.marks + columns.marked
    cdef const char* text
    memset(mark, 0, sizeof(Mark))
    mark.topic, mark.partition, mark.row, mark.err = message.topic, message.partition, columns.rows, message.err
    if last != NULL and last.topic == message.topic:
        mark.name = last.name
    elif message.topic != NULL:
        text = columns.topic_name(message.topic)
        if not append_text(columns, text, strlen(text), &mark.name):
            return False
    if message.err != 0:
        mark.offset = message.offset
        text = <const char*>message.value
        if text == NULL:
            text = columns.error_text(message.err)
        if not append_text(columns, text, strlen(text), &mark.reason):
            return False
    columns.marked += 1
    return True


cdef bint add(Columns* columns, Message* message) noexcept nogil:
    cdef Mark* last = columns.marks + columns.marked - 1 if columns.marked else NULL
    cdef size_t row = columns.rows
    cdef int kind
    if (
        last == NULL
        or message.err != 0
        or last.err != 0
        or last.topic != message.topic
        or last.partition != message.partition
    ):
        if not add_mark(columns, message):
            return False
    if message.err != 0:
        return True
    columns.lacks_value[row] = message.value == NULL
    columns.no_value += message.value == NULL
    if not append(&columns.values, message.value, message.value_size if message.value != NULL else 0):
        return False
    columns.lacks_key[row] = message.key == NULL
    columns.no_key += message.key == NULL
    if not append(&columns.keys, message.key, message.key_size if message.key != NULL else 0):
        return False
    columns.offsets[row] = message.offset
    columns.times[row] = columns.timestamp(message, &kind)
    columns.value_bounds[row + 1] = columns.values.used
    columns.key_bounds[row + 1] = columns.keys.used
    if columns.with_headers:  # asking costs as much as all else, as librdkafka allocates for it
        columns.headers[row] = NULL
        if columns.detach_headers(message, &columns.headers[row]) == 0:
            columns.headed += 1
        else:
            columns.headers[row] = NULL
    columns.rows += 1
    return True


cdef void arrived(Message* message, void* columns_) noexcept nogil:
    """Take a message, which stays librdkafka's; say when it is enough."""
    cdef Columns* columns = <Columns*>columns_
    if not columns.failed and not add(columns, message):
        columns.failed = True
    columns.count += 1
    if columns.failed or enough(columns):
        columns.stop(columns.client)


cdef bint enough(Columns* columns) noexcept nogil:
    return columns.count >= columns.size or columns.values.used + columns.keys.used >= columns.weight


@cython.no_gc_clear
cdef class Queue:
    """A queue of a client's, and the partitions whose messages are sent to it.

    The client is kept until the queue is given back: closed while messages are left in one, it would wait for ever.

    Messages are taken by a callback, and not as a batch: from a batch librdkafka sorts out what the application is to
    be told by its error callback (such as a topic that was deleted), and calls that, which ends the process, as
    confluent-kafka did not begin the call.

    Parameters
    ----------
    client : confluent_kafka.Consumer
    place : int
        Where in it the address of its rd_kafka_t stands: 0 once it is closed.
    functions : mapping of str to int
        The addresses of FUNCTIONS.
    size : int
        How many messages are taken at once, at most.
    weight : int
        After how many bytes of values and keys no more are taken.

    Attributes
    ----------
    full : bool
        Whether the last call took as much as it may.
    """

    cdef object _owner
    cdef void** _place
    cdef void* _client
    cdef void* _queue
    cdef Columns _columns
    cdef readonly bint full
    cdef ConsumeCallback _consume_callback
    cdef HeaderGet _header_get
    cdef HeadersDestroy _headers_destroy
    cdef QueueOfPartition _queue_of_partition
    cdef QueueForward _queue_forward
    cdef QueueDestroy _queue_destroy

    def __cinit__(self, client, uintptr_t place, functions, size_t size, size_t weight):
        cdef Columns* columns = &self._columns
        self._consume_callback = <ConsumeCallback><uintptr_t>functions["rd_kafka_consume_callback_queue"]
        self._header_get = <HeaderGet><uintptr_t>functions["rd_kafka_header_get_all"]
        self._headers_destroy = <HeadersDestroy><uintptr_t>functions["rd_kafka_headers_destroy"]
        self._queue_of_partition = <QueueOfPartition><uintptr_t>functions["rd_kafka_queue_get_partition"]
        self._queue_forward = <QueueForward><uintptr_t>functions["rd_kafka_queue_forward"]
        self._queue_destroy = <QueueDestroy><uintptr_t>functions["rd_kafka_queue_destroy"]
        columns.stop = <Yield><uintptr_t>functions["rd_kafka_yield"]
        columns.timestamp = <MessageTimestamp><uintptr_t>functions["rd_kafka_message_timestamp"]
        columns.topic_name = <TopicName><uintptr_t>functions["rd_kafka_topic_name"]
        columns.error_text = <ErrorText><uintptr_t>functions["rd_kafka_err2str"]
        columns.detach_headers = <DetachHeaders><uintptr_t>functions["rd_kafka_message_detach_headers"]
        columns.size, columns.weight = size, weight
        columns.marks = <Mark*>calloc(size, sizeof(Mark))
        columns.offsets = <int64_t*>calloc(size, sizeof(int64_t))
        columns.times = <int64_t*>calloc(size, sizeof(int64_t))
        columns.value_bounds = <int64_t*>calloc(size + 1, sizeof(int64_t))
        columns.key_bounds = <int64_t*>calloc(size + 1, sizeof(int64_t))
        columns.lacks_value = <unsigned char*>calloc(size, 1)
        columns.lacks_key = <unsigned char*>calloc(size, 1)
        columns.headers = <void**>calloc(size, sizeof(void*))
        if (
            columns.marks == NULL
            or columns.offsets == NULL
            or columns.times == NULL
            or columns.value_bounds == NULL
            or columns.key_bounds == NULL
            or columns.lacks_value == NULL
            or columns.lacks_key == NULL
            or columns.headers == NULL
        ):
            raise MemoryError
        self._owner, self._place = client, <void**>place
        self._client = columns.client = self._place[0]
        if self._client == NULL:
            raise RuntimeError("the client is closed")
        self._queue = (<QueueNew><uintptr_t>functions["rd_kafka_queue_new"])(self._client)

    def __dealloc__(self):
        cdef Columns* columns = &self._columns
        if self._open():
            self._queue_destroy(self._queue)
        free(columns.marks)
        free(columns.offsets)
        free(columns.times)
        free(columns.value_bounds)
        free(columns.key_bounds)
        free(columns.lacks_value)
        free(columns.lacks_key)
        free(columns.headers)
        free(columns.values.at)
        free(columns.keys.at)
        free(columns.texts.at)

    cdef bint _open(self) noexcept nogil:
        """Say whether the queue can be used: not once the client is closed, which takes all that it has with it."""
        return self._queue != NULL and self._place[0] == self._client

    def close(self):
        """Give the queue back; what is in it is forgotten. It comes before the client is closed."""
        cdef void* queue = self._queue if self._open() else NULL
        self._queue = NULL
        if queue != NULL:
            with nogil:
                self._queue_destroy(queue)

    def redirect(self, topic, int32_t partition):
        """Let further messages of a partition come by this queue, if it is not closed."""
        cdef bytes name = topic.encode()
        cdef const char* text = name
        cdef void* found
        if not self._open():
            return
        with nogil:
            found = self._queue_of_partition(self._client, text, partition)
            if found != NULL:
                self._queue_forward(found, self._queue)
                self._queue_destroy(found)  # the reference, not the queue

    def take(self, int timeout, bint with_headers):
        """Return what has come within so many milliseconds, or as soon as it is enough.

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
        cdef Columns* columns = &self._columns
        cdef int left = timeout
        columns.with_headers, columns.failed = with_headers, False
        columns.count = columns.rows = columns.marked = columns.no_value = columns.no_key = columns.headed = 0
        columns.values.used = columns.keys.used = columns.texts.used = 0
        until = monotonic() + timeout / 1000
        try:
            while self._open():
                with nogil:
                    self._consume_callback(self._queue, left, arrived, columns)
                if columns.failed:
                    raise MemoryError
                left = <int>(1000 * (until - monotonic()))
                if left <= 0 or enough(columns):
                    break
            self.full = enough(columns)
            return self._taken() if columns.count else None
        finally:
            self._clear()

    cdef void _clear(self) noexcept:
        """Free what messages have left here, and much room."""
        cdef Columns* columns = &self._columns
        cdef size_t row
        if columns.headed:
            for row in range(columns.rows):
                if columns.headers[row] != NULL:
                    self._headers_destroy(columns.headers[row])
        if columns.values.room > KEPT:
            free(columns.values.at)
            memset(&columns.values, 0, sizeof(Bytes))
        if columns.keys.room > KEPT:
            free(columns.keys.at)
            memset(&columns.keys, 0, sizeof(Bytes))

    cdef object _taken(self):
        cdef Columns* columns = &self._columns
        cdef size_t rows = columns.rows
        return (
            self._runs(),
            array(columns.offsets, rows * sizeof(int64_t), np.int64),
            array(columns.times, rows * sizeof(int64_t), np.int64),
            (
                array(columns.values.at, columns.values.used, np.uint8),
                array(columns.value_bounds, (rows + 1) * sizeof(int64_t), np.int64),
                array(columns.lacks_value, rows, np.bool_) if columns.no_value else None,
            ),
            (
                array(columns.keys.at, columns.keys.used, np.uint8),
                array(columns.key_bounds, (rows + 1) * sizeof(int64_t), np.int64),
                array(columns.lacks_key, rows, np.bool_) if columns.no_key else None,
            ),
            [self._headers(columns.headers[row]) for row in range(rows)] if columns.headed else None,
        )

    cdef list _runs(self):
        """Return the runs of one partition, and the errors, in their order."""
        cdef Columns* columns = &self._columns
        cdef Mark* mark
        cdef size_t i, stop
        cdef list found = []
        for i in range(columns.marked):
            mark = columns.marks + i
            topic = self._text(mark.name) if mark.topic != NULL else None
            if mark.err != 0:
                what = (mark.err, self._text(mark.reason), mark.offset)
            else:
                stop = mark[1].row if i + 1 < columns.marked else columns.rows
                what = slice(mark.row, stop)
            found.append((topic, mark.partition, what))
        return found

    cdef object _text(self, Span span):
        return self._columns.texts.at[span.begin : span.end].decode("utf-8", "replace")

    cdef object _headers(self, void* headers):
        cdef const char* name
        cdef const void* value
        cdef size_t size, i = 0
        if headers == NULL:
            return None
        found = []
        while self._header_get(headers, i, &name, &value, &size) == 0:
            content = None if value == NULL else (<const char*>value)[:size]
            found.append((name.decode("utf-8", "replace"), content))
            i += 1
        return found


cdef object array(const void* data, size_t size, kind):
    return np.frombuffer(PyByteArray_FromStringAndSize(<const char*>data, size), kind)
