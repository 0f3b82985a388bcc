"""A certificate authority for tests that this process and its children see in the system's store.

A TLS client that trusts the server of a job has read the store of the image: nothing else names the authority.
"""

import os
import pathlib
import shutil
import subprocess

STORE = pathlib.Path("/etc/ssl/certs")
SCRIPT = """
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj '/CN=Coracle Test CA'
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=localhost
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nbasicConstraints=CA:FALSE' > tls.ext
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile tls.ext -out tls.pem
cp -a /etc/ssl/certs store
rm store/ca-certificates.crt
cat /etc/ssl/certs/ca-certificates.crt ca.pem > store/ca-certificates.crt
cp ca.pem store/coracle-test.pem
openssl rehash store
if [ -f store/java/cacerts ]; then
    keytool -importcert -noprompt -alias coracle-test -file ca.pem -keystore store/java/cacerts -storepass changeit
fi
"""


def trust_test_authority(cache):
    """Mounts a copy of the system's store that also has the authority, in this mount namespace only.

    Scripts find the authority, the server's certificate and its key by the variables CA_FILE, TLS_CERT and TLS_KEY, and
    a server that uses them by HTTPS_SERVER.
    """
    folder = cache / "certificates"
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        subprocess.run(["bash", "-euc", SCRIPT], cwd=folder, check=True, capture_output=True)
        done.touch()
    subprocess.run(["mount", "--bind", str(folder / "store"), str(STORE)], check=True)
    files = {"CA_FILE": "ca.pem", "TLS_CERT": "tls.pem", "TLS_KEY": "tls.key"}
    os.environ.update({name: str(folder / file) for name, file in files.items()})
    os.environ["HTTPS_SERVER"] = str(pathlib.Path(__file__).with_name("https_server.py"))
