# SPDX-License-Identifier: MIT
"""Talks to extensions of the Bareflank hypervisor on this machine, by libbfm (bareflank.h).

    import bareflank

    with bareflank.Bareflank() as b:
        print(b.call("my_extension", "reset counters"))
        for record in b.records("my_extension", timeout_ms=-1):
            print(record.number, record.data)

It needs CAP_SYS_ADMIN. What fails raises OSError, with errno and the sentence of the library; a
request that an extension refuses raises Refused. BAREFLANK_LIB names another library.
"""

import ctypes
import os
from typing import NamedTuple

REQUEST_MAX = 4096


class Refused(Exception):
    """The extension refuses a request; it has said why."""


class Record(NamedTuple):
    """What an extension has emitted; tsc in ticks of the TSC, pp: the physical processor."""

    number: int
    tsc: int
    pp: int
    data: bytes


class Counts(NamedTuple):
    """Of records: as struct bareflank_counts."""

    emitted: int
    dropped: int
    missed: int
    tsc_khz: int


class _Record(ctypes.Structure):
    _fields_ = [
        ("number", ctypes.c_uint64),
        ("tsc", ctypes.c_uint64),
        ("pp", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
    ]


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Counts._fields]


def _load():
    library = ctypes.CDLL(os.environ.get("BAREFLANK_LIB", "libbfm.so.1"), use_errno=True)
    handle, size = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
        ("open", handle, []),
        ("close", None, [handle]),
        ("error", ctypes.c_char_p, [handle]),
        ("find", ctypes.c_int, [handle, ctypes.c_char_p]),
        ("read", ctypes.c_int, [handle, ctypes.c_int, ctypes.POINTER(_Record), ctypes.c_int]),
        ("counts", ctypes.c_int, [handle, ctypes.c_int, ctypes.POINTER(_Counts)]),
        (
            "call",
            ctypes.c_int,
            [handle, ctypes.c_int, ctypes.c_char_p, size, ctypes.c_char_p, ctypes.POINTER(size)],
        ),
    ):
        function = getattr(library, "bareflank_" + name)
        function.restype, function.argtypes = result, arguments
    return library


class Bareflank:
    """A handle: for one thread at a time. Extensions are named as bareflank_find says."""

    def __init__(self):
        self._handle = None
        self._lib = _load()
        self._handle = self._lib.bareflank_open()
        if not self._handle:
            self._fail()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it; a second time nothing happens."""
        if self._handle:
            self._lib.bareflank_close(self._handle)
        self._handle = None

    def _fail(self):
        number = ctypes.get_errno()
        sentence = self._lib.bareflank_error(self._handle) or b""
        raise OSError(number, sentence.decode(errors="replace"))

    def _check(self, result):
        if result < 0:
            self._fail()
        return result

    def _open(self):
        if not self._handle:
            raise ValueError("the handle is closed")
        return self._handle

    def find(self, extension):
        """The number of an extension, from 1 on."""
        return self._check(self._lib.bareflank_find(self._open(), str(extension).encode()))

    def read(self, extension, timeout_ms=0):
        """The next Record, or None: there was none for so long. -1: until the hypervisor stops."""
        record = _Record()
        number = self.find(extension)
        if not self._check(
            self._lib.bareflank_read(self._open(), number, ctypes.byref(record), timeout_ms)
        ):
            return None
        data = ctypes.string_at(record.data, record.size)
        return Record(record.number, record.tsc, record.pp, data)

    def records(self, extension, timeout_ms=0):
        """All records, until there has been none for so long."""
        while (record := self.read(extension, timeout_ms)) is not None:
            yield record

    def counts(self, extension):
        """As of the last read of this extension."""
        counts = _Counts()
        self._check(
            self._lib.bareflank_counts(self._open(), self.find(extension), ctypes.byref(counts))
        )
        return Counts(*(getattr(counts, name) for name in Counts._fields))

    def call(self, extension, request):
        """The reply, in bytes, to a request in bytes or text."""
        if isinstance(request, str):
            request = request.encode()
        reply = ctypes.create_string_buffer(REQUEST_MAX)
        size = ctypes.c_size_t(REQUEST_MAX)
        refused = self._check(
            self._lib.bareflank_call(
                self._open(),
                self.find(extension),
                request,
                len(request),
                reply,
                ctypes.byref(size),
            )
        )
        if refused:
            raise Refused(reply.raw[: size.value].decode(errors="replace"))
        return reply.raw[: size.value]
