# SPDX-License-Identifier: GPL-2.0-only
"""UEFI firmware for QEMU whose signature database has a certificate: Linux trusts it as a key."""

import struct
import subprocess
import uuid

CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"

# UEFI specification §32.4.1 and §32.6.1
IMAGE_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
OWNER = uuid.UUID("6b32767d-9ffe-4bf4-9a24-0b0a4a9b1c6f")
ATTRIBUTES = 0x27  # non-volatile, boot services, run time, time-based authentication

# Of the volume, and of the store of variables in it, as edk2 lays them out.
VOLUME_HEADER_LENGTH = (0x30, "<H")
STORE_HEADER = 28
VALID = 0x55AA
ADDED = 0x3F


def signature_list(certificate):
    signature = OWNER.bytes_le + certificate
    header = struct.pack("<III", 16 + 12 + len(signature), 0, len(signature))
    return CERT_X509.bytes_le + header + signature


def variable(name, vendor, data):
    """An authenticated variable that has never been written: its time and counter are 0."""
    text = name.encode("utf-16-le") + b"\0\0"
    header = struct.pack("<HBBIQ16sIII", VALID, ADDED, 0, ATTRIBUTES, 0, bytes(16), 0,
                         len(text), len(data))
    return header + vendor.bytes_le + text + data


def write_variables(certificate, path):
    """Writes a variable store to path in which the PEM file certificate is in db."""
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"],
                         check=True, capture_output=True).stdout
    with open(VARIABLES, "rb") as template:
        store = bytearray(template.read())
    offset, form = VOLUME_HEADER_LENGTH
    at = struct.unpack_from(form, store, offset)[0] + STORE_HEADER
    record = variable("db", IMAGE_SECURITY, signature_list(der))
    assert store[at : at + len(record)] == b"\xff" * len(record), "the store is not empty"
    store[at : at + len(record)] = record
    with open(path, "wb") as out:
        out.write(store)
