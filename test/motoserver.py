"""A stand-in for AWS on a loopback port of its own, for test/moto.sh: moto, with an administrator, and with IAM in force.

Usage: motoserver.py FILE. Writes http://KEY:SECRET@127.0.0.1:PORT to FILE, the key being the administrator's, and serves until it is ended.
"""

import json
import logging
import os
import sys
import threading
import urllib.parse

# This many requests need no permission: those by which the administrator is made.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
# As on EC2, what does not exist can't be started.
os.environ["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "true"
os.environ["MOTO_ENABLE_AMI_VALIDATION"] = "true"

import boto3  # noqa: E402  (moto reads the environment when it is imported)
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

moto = DomainDispatcherApplication(create_backend_app)


def stand_in(environ, start_response):
    """What IAM refuses, moto words as no AWS service does: <Errors> around the <Error> of an <ErrorResponse>, and XML to who speaks JSON. Blanks keep the announced length."""
    for part in moto(environ, start_response):
        if b"<ErrorResponse><Errors>" in part and "json" in environ.get("CONTENT_TYPE", ""):
            code, message = (part.split(b"<%s>" % tag)[1].split(b"<")[0].decode() for tag in (b"Code", b"Message"))
            part = json.dumps({"__type": code, "message": message}).encode().ljust(len(part))
        elif b"<ErrorResponse><Errors>" in part:
            part = part.replace(b"<Errors>", b" " * 8).replace(b"</Errors>", b" " * 9)
        yield part


def make_administrator(endpoint):
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = boto3.client("iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="nobody", aws_secret_access_key="nothing")
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="everything", PolicyDocument=json.dumps(everything))
    return iam.create_access_key(UserName="admin")["AccessKey"]


class KeepAlive(WSGIRequestHandler):
    """Keeps connections open: a client whose connection ends with the answer may lose the end of it, and asks again for what was done already."""

    protocol_version = "HTTP/1.1"


logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for every request
server = make_server("127.0.0.1", 0, stand_in, threaded=True, request_handler=KeepAlive)
serving = threading.Thread(target=server.serve_forever)
serving.start()
try:
    key = make_administrator(f"http://127.0.0.1:{server.port}")
except Exception:
    server.shutdown()
    raise

secret = urllib.parse.quote(key["SecretAccessKey"], safe="")
with open(sys.argv[1] + ".new", "w", encoding="utf-8") as file:
    file.write(f"http://{key['AccessKeyId']}:{secret}@127.0.0.1:{server.port}\n")
os.rename(sys.argv[1] + ".new", sys.argv[1])  # whoever waits for the file finds it whole
serving.join()
