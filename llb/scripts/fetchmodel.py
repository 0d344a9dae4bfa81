"""Fetches one file of a model that takes more than a plain request: an object of a bucket that needs credentials, or an object of git-LFS.

It is told what in a JSON file, finds the credentials in a file if there are any, and writes /out/model. Without a sha256 to hold it against it says
in /out/sha256 what it got. What it prints names no URL and no credentials: both may be secret.
"""

import base64
import configparser
import datetime
import hashlib
import hmac
import json
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

SECRET = pathlib.Path("/run/secrets/model")
OUT = pathlib.Path("/out")
SILENCE = 60  # seconds without a byte after which a server is given up
NOTHING = hashlib.sha256().hexdigest()


class Redirect(urllib.request.HTTPRedirectHandler):
    """Gives credentials to no other server."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and new.host != req.host:
            new.headers.pop("Authorization", None)
        return new


opener = urllib.request.build_opener(Redirect)


def sign(url, region, key, secret, token):
    """Gives the headers of a GET of an object of S3, signature version 4."""
    at = urllib.parse.urlsplit(url)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": at.netloc, "x-amz-content-sha256": NOTHING, "x-amz-date": now}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    request = "\n".join(["GET", at.path, "", *lines, "", names, NOTHING])
    scope = [now[:8], region, "s3", "aws4_request"]
    text = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    mac = b"AWS4" + secret.encode()
    for part in [*scope, text]:
        mac = hmac.digest(mac, part.encode(), "sha256")
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={key}/{'/'.join(scope)}, SignedHeaders={names}, Signature={mac.hex()}"
    return headers


def keys(text):
    """Reads key id, secret and session token: an AWS credentials file, the JSON of its tools, or KEY_ID:SECRET with or without a token."""
    if "aws_access_key_id" in text:
        file = configparser.RawConfigParser()
        file.read_string(text)
        section = file["default" if "default" in file else file.sections()[0]]
        return section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token", "")
    if text.startswith("{"):
        given = json.loads(text)
        given = given.get("Credentials", given)
        return given["AccessKeyId"], given["SecretAccessKey"], given.get("SessionToken", "")
    key, secret, *token = text.split(":", 2)
    return key, secret, "".join(token)


def bucket(job, text):
    """Asks for an object with what the secret holds: a signed URL, keys, or for Google a token."""
    if re.match("https?://", text):
        return urllib.request.Request(text)
    at = urllib.parse.urlsplit(job["url"])
    url = at._replace(path=urllib.parse.quote(urllib.parse.unquote(at.path), safe="/-_.~")).geturl()
    if job["kind"] == "gs" and '"service_account"' in text:
        sys.exit("mlbuild: the secret holds the key file of a service account: give a token of it (gcloud auth print-access-token)")
    if job["kind"] == "gs" and ":" not in text:
        return urllib.request.Request(url, headers={"Authorization": "Bearer " + text})
    try:
        key, secret, token = keys(text)
    except (KeyError, IndexError, ValueError, configparser.Error):
        sys.exit("mlbuild: the secret holds neither a signed URL nor credentials that can be read")
    return urllib.request.Request(url, headers=sign(url, job["region"], key, secret, token))


def lfs(job, text):
    """Asks the server of git-LFS where an object is."""
    repository = job["url"].rstrip("/").removesuffix(".git") + ".git"
    kind = "application/vnd.git-lfs+json"
    headers = {"Accept": kind, "Content-Type": kind}
    if text:
        account = text if ":" in text else "x-access-token:" + text
        headers["Authorization"] = "Basic " + base64.b64encode(account.encode()).decode()
    wanted = {"operation": "download", "transfers": ["basic"], "objects": [{"oid": job["sha256"], "size": job["size"]}], "hash_algo": "sha256"}
    ask = urllib.request.Request(repository + "/info/lfs/objects/batch", json.dumps(wanted).encode(), headers)
    with opener.open(ask, timeout=SILENCE) as answer:
        found = json.load(answer)["objects"][0]
    if "error" in found:
        sys.exit(f"mlbuild: the server answers {found['error']['code']}")
    action = found["actions"]["download"]
    return urllib.request.Request(action["href"], headers=action.get("header", {}))


def download(request):
    """Writes the file, and gives its sha256."""
    total = hashlib.sha256()
    with opener.open(request, timeout=SILENCE) as answer, open(OUT / "model", "wb") as file:
        while data := answer.read(1 << 20):
            total.update(data)
            file.write(data)
    return total.hexdigest()


def main():
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    text = SECRET.read_text().strip() if SECRET.exists() else ""
    try:
        got = download((lfs if job["kind"] == "lfs" else bucket)(job, text))
    except urllib.error.HTTPError as err:
        why = re.search("<Code>([A-Za-z]+)</Code>", err.read(4096).decode(errors="replace"))
        sys.exit(f"mlbuild: the server answers {err.code}{' ' + why[1] if why else ''}")
    except (OSError, LookupError, ValueError) as err:
        why = getattr(err, "reason", "")
        if isinstance(err, TimeoutError) or isinstance(why, TimeoutError):
            why = f"nothing came for {SILENCE} s"
        sys.exit(f"mlbuild: the server cannot be reached or broke off: {type(err).__name__} {why}")
    if job["sha256"] and got != job["sha256"]:
        sys.exit(f"mlbuild: the server sent sha256:{got}")
    if not job["sha256"]:
        (OUT / "sha256").write_text(got)


main()
