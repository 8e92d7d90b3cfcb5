#!/usr/bin/env python3
"""Chats through a handoff gateway, with Python's own library alone: chat.py http://127.0.0.1:8080

Types a line: it is said. /human asks for a person, /bot goes back, /end ends. See docs/WEB.md.
"""
import json
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

base = sys.argv[1].rstrip("/")
customer = {}
closed = threading.Event()


def request(path, body=None, headers=None):
    headers = dict(headers or {})
    if "token" in customer:
        headers["Authorization"] = "Bearer " + customer["token"]
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(base + path, data, headers), timeout=60)


def post(act, **fields):
    """Does something once: the same id goes with every attempt."""
    body = {"id": uuid.uuid4().hex, "conversation": customer["conversation"], **fields}
    while True:
        try:
            return json.load(request("/api/" + act, body))
        except urllib.error.HTTPError as refused:
            if refused.code not in (429, 502, 503):
                print("refused:", refused.read().decode(), flush=True)
                return None
        except OSError:
            pass
        time.sleep(1)


def show(event):
    if event["event"] == "message" and event["author"] != "user":
        print(f"{event.get('name', event['author'])}: {event['text']}", flush=True)
        for button in event.get("buttons", []):
            print(f"  {button.get('choice', '-')}) {button['title']}", flush=True)
        if event["author"] == "admin":
            seen = {"conversation": event["conversation"], "number": event["number"]}
            request("/api/seen", seen).read()
    elif event["event"] == "state":
        print(f"* {event['state']}", flush=True)
        if event["state"] == "closed":
            closed.set()


def listen():
    """Reads the stream, and goes on behind the last event after every break."""
    last, pings = "", 0
    while not closed.is_set():
        try:
            for line in request("/api/stream" + (f"?after={last}" if last else "")):
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    last = value
                elif name == "data":
                    event = json.loads(value)
                    show(event)
                    if event["event"] == "ping":
                        pings += 1
                        if pings % 2 == 0:
                            request("/api/here", {"stream": event["stream"]}).read()
                    if closed.is_set():
                        return
        except OSError:
            time.sleep(1)


customer.update(json.load(request("/api/begin", {})))
reader = threading.Thread(target=listen)
reader.start()
for line in sys.stdin:
    line = line.rstrip("\n")
    if line in ("/human", "/bot", "/end", "/again"):
        post(line[1:])
    elif line:
        post("say", text=line)
reader.join()
