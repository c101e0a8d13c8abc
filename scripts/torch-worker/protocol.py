"""What the harness and a worker say to each other: the structures of worker_protocol.h."""

import ctypes
import mmap
import socket
import struct

SOCKET = 3
ARENA = 4
MAGIC = 0x54505732
PAGE = 4096
MOST_BYTES = 64 << 10
MOST_BUFFERS = 32
MOST_LAUNCHES = 64
MOST_WORDS = 512
MOST_SLOTS = 1024
KEY_BYTES = MOST_BUFFERS * MOST_SLOTS * 8
ORDER_OFFSET = 32  # of Mailbox.order
SLOT_CANARY = 0xC3

CALL, LAY_OUT, WRITE, ARM, ARM_IDLE, FLUSH, RUN, FETCH = range(8)  # Ask
POISON, WORDS, BASE = range(3)  # Fill
READY, DONE, FAULT, LOAD, DEVICE, REQUEST = range(6)  # Reply.Status
BUFFER_WORD, INT64_WORD, DOUBLE_WORD, INT32_WORD, FLOAT_WORD, MAP_WORD = range(6)  # Word.Kind

U32, U64, I32 = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int32


class Buffer(ctypes.Structure):
    """A tensor or workspace of a call; sizes in bytes, `pages` in pages."""

    _fields_ = [("arena_offset", U64), ("pages", U64), ("page", U64), ("data_offset", U64),
                ("bytes", U64), ("role", U32), ("at_end", U32), ("zeroed", U32), ("fill", U32),
                ("keep", U32), ("set", U32)]


class Word(ctypes.Structure):
    """An argument of a launch: the index of a buffer, or the bits of a number."""

    _fields_ = [("kind", U32), ("reserved", U32), ("value", U64)]

    def number(self):
        bits = struct.pack("<Q", self.value)
        form = {INT64_WORD: "<q", DOUBLE_WORD: "<d", INT32_WORD: "<i", FLOAT_WORD: "<f"}[self.kind]
        return struct.unpack_from(form, bits)[0]


class Launch(ctypes.Structure):
    """A launch; here its kernel is the name of a function in baseline.py."""

    _fields_ = [("kernel", ctypes.c_char * 128), ("grid", U32 * 3), ("block", U32 * 3),
                ("cluster", U32 * 3), ("shared_bytes", U32), ("words", U32)]


class RequestHeader(ctypes.Structure):
    """What a request asks for, and how many structures follow it."""

    _fields_ = [("magic", U32), ("buffers", U32), ("nonce", U64), ("schedule", U64),
                ("words", U32), ("launches", U32), ("maps", U32), ("prepare", U32),
                ("slots", U32), ("slot_pages", U32), ("ask", U32), ("poison", U32),
                ("bases", U32), ("reserved", U32)]


class Reply(ctypes.Structure):
    """The answer to a request."""

    _fields_ = [("magic", U32), ("status", U32), ("nonce", U64), ("signal", I32), ("code", I32),
                ("address", U64), ("instruction", ctypes.c_uint8 * 16), ("nanoseconds", U64),
                ("text", ctypes.c_char * 160)]


class BadRequest(Exception):
    """A request that makes no sense; the harness is told and may go on."""


class Request:
    """A request taken apart: `header`, `buffers`, and `call` as (function name, words)."""

    def __init__(self, message):
        if len(message) < ctypes.sizeof(RequestHeader):
            raise BadRequest("too short")
        self.header = RequestHeader.from_buffer_copy(message)
        header = self.header
        if (header.magic != MAGIC or header.buffers > MOST_BUFFERS or header.words > MOST_WORDS or
                header.launches > MOST_LAUNCHES or header.maps or header.prepare):
            raise BadRequest("not a request of this protocol, or one with tensor maps or prepare")
        at = ctypes.sizeof(RequestHeader)
        parts = []
        for kind, count in ((Buffer, header.buffers), (Word, header.words),
                            (Launch, header.launches)):
            if at + count * ctypes.sizeof(kind) > len(message):
                raise BadRequest("cut short")
            parts.append((kind * count).from_buffer_copy(message, at))
            at += count * ctypes.sizeof(kind)
        if at != len(message):
            raise BadRequest("too long")
        self.buffers, self.words, self.launches = parts
        if any(w.kind == MAP_WORD or (w.kind == BUFFER_WORD and w.value >= header.buffers)
               for w in self.words):
            raise BadRequest("an argument that is not there")


class Link:
    """The socket to the harness."""

    def __init__(self, descriptor=SOCKET):
        self.socket = socket.socket(fileno=descriptor)

    def receive(self):
        """The next message; empty when the harness is gone."""
        try:
            return self.socket.recv(MOST_BYTES)
        except ConnectionError:
            return b""

    def reply(self, status, nonce=0, nanoseconds=0, text=""):
        reply = Reply(magic=MAGIC, status=status, nonce=nonce, address=2**64 - 1,
                      nanoseconds=nanoseconds, text=text.encode()[:159])
        try:
            self.socket.send(bytes(reply))
        except OSError:
            pass  # the harness notices when a reply does not arrive


def map_arena(offset=0, length=0):
    """Shared memory of the arena from `offset`, all of it for a length of 0."""
    return mmap.mmap(ARENA, length, offset=offset)
