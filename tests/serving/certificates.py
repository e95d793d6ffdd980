"""Certificates for the tests, made by the program openssl."""

import shutil
import subprocess

import pytest

# Keys of elliptic curves are made at once.
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def make_certificate(folder, name, host="localhost"):
    """A certificate of a host that has signed itself.

    Returns:
        The files of the certificate and of its key, PEM.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *[openssl, "req", "-x509", *_KEY, "-days", "2"],
            *["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host}"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
