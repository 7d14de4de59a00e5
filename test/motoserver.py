"""A stand-in for AWS on a loopback port of its own, for test/moto.sh: moto, with an administrator, and with IAM in force. Jobs of AWS Batch are processes.

Usage: motoserver.py FILE. Writes http://KEY:SECRET@127.0.0.1:PORT to FILE, the key being the administrator's, and serves until it is ended.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import urllib.parse
from datetime import datetime

# This many requests need no permission: those by which the administrator is made.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"
# As on EC2, what does not exist can't be started.
os.environ["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "true"
os.environ["MOTO_ENABLE_AMI_VALIDATION"] = "true"

import boto3  # noqa: E402  (moto reads the environment when it is imported)
from moto.batch.models import Job  # noqa: E402
from moto.iam.access_control import IAMPolicyStatement  # noqa: E402
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


class BatchJob:
    """How moto's jobs run here: moto would ask Docker for containers, or call every job a success. The command runs as it is; the image does not matter, but one whose
    name begins with "absent/" can't be pulled, and one that begins with "spot/" loses its host when its command has ended. States and words are those of AWS Batch.
    """

    grace = 2  # seconds from TERM to KILL; 30 with AWS

    def run(self):
        image = self.job_definition.container_properties["image"]
        environment = {e["name"]: e["value"] for e in self._get_container_property("environment", [])}
        self.status = "RUNNABLE"
        if self.stop:
            return self.over("")
        if image.startswith("absent/"):
            return self.over("Task failed to start", f"CannotPullContainerError: Error response from daemon: pull access denied for {image}")
        self.status = "STARTING"
        try:
            command = self._get_container_property("command", []) or ["true"]
            process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            return self.over("Task failed to start", f"CannotStartContainerError: Error response from daemon: {error}")
        self.job_started_at, self.log_stream_name = datetime.now(), self._stream_name
        self._log_backend.ensure_log_group(self._log_group)
        self._log_backend.ensure_log_stream(self._log_group, self._stream_name)
        self._start_attempt()
        self.status = "RUNNING"
        reader = threading.Thread(target=self.read, args=[process.stdout], daemon=True)
        reader.start()
        late = self.wait(process)
        self.kill(process, signal.SIGKILL)  # what it started ends with it
        reader.join(5)
        self.exit_code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if image.startswith("spot/") and not self.stop:
            self.exit_code = None
            return self.over("Host EC2 (instance i-0123456789abcdef0) terminated.")
        self.over("Job attempt duration exceeded timeout" if late else "Essential container in task exited", success=self.exit_code == 0 and not late)

    def read(self, pipe):
        for line in pipe:
            event = {"timestamp": int(datetime.now().timestamp() * 1000), "message": line.decode(errors="replace").rstrip("\n")}
            self._log_backend.put_log_events(self._log_group, self._stream_name, [event])

    def wait(self, process):
        """Waits for its end, and brings it about when that is asked for, or when its time is over: then it tells so."""
        limit, asked = (self.timeout or {}).get("attemptDurationSeconds"), None
        while process.poll() is None:
            ran = (datetime.now() - self.job_started_at).total_seconds()
            late = limit is not None and ran > limit
            if asked is None and (self.stop or late):
                asked = ran
                self.kill(process, signal.SIGTERM)
            elif asked is not None and ran - asked > self.grace:
                self.kill(process, signal.SIGKILL)
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        return asked is not None and not self.stop

    def kill(self, process, how):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            pass

    def over(self, reason, container="", success=False):
        self.why = container
        self.job_stopped_reason = self.job_stopped_reason if self.stop and not success else reason
        self._mark_stopped(success)

    def terminate(self, reason):
        if not self.stop and not self.job_stopped:
            self.job_stopped_reason, self.stop = reason, True

    def describe(self):
        shown = described(self)
        shown["container"].pop("vcpus")  # a fraction here, and not there with AWS when the requirements say it
        if self.job_stopped:
            shown["isTerminated"] = self.stop
            shown["container"] |= {"reason": self.why} if self.why else {}
            shown["container"] |= {"exitCode": self.exit_code} if self.exit_code is not None else {}
        return shown


described = Job.describe
Job.grace = BatchJob.grace
for how in (BatchJob.run, BatchJob.read, BatchJob.wait, BatchJob.kill, BatchJob.over, BatchJob.terminate, BatchJob.describe):
    setattr(Job, how.__name__, how)


def matches(self, element, value, exactly=IAMPolicyStatement._check_element_matches):
    """To IAM actions are the same in upper and lower case; moto knows those of AWS Batch by their paths, which are in lower case."""
    if not element.endswith("Action"):
        return exactly(self, element, value)
    given = self._statement[element]
    return any(self._match(one.lower(), value.lower()) for one in ([given] if isinstance(given, str) else given))


IAMPolicyStatement._check_element_matches = matches


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
