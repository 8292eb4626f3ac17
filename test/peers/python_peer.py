"""A peer of the handoff protocol in Python, standard library only, written from docs/protocol.md.

It takes over from whoever listens on the control path, or has spawned it, serves HTTP/1.1 on the listeners, and hands
everything on to whoever comes next: listeners, other descriptors, and state, which it does not look into.

Environment:
  CONTROL    path of the control socket; not needed when FD_HANDOFF_CHANNEL is there
  CLAIM      names of the descriptors that it has a use for, separated by colons; by default all of them
  BEHAVIOUR  serve; or how it is to fail: hang (before the newline), kill-at-newline (kills itself right after it),
             hang-at-newline, hang-at-commit. One that fails accepts nothing
  READY_TIMEOUT, DRAIN_TIMEOUT   milliseconds; 60000 and 30000

What happens is told on standard output, a JSON object a line.
"""

import array
import asyncio
import errno
import json
import os
import re
import signal
import socket
import stat
import struct
import sys

PROTOCOL = 1
FEATURES = ["released", "unclaimed", "connections"]

HELLO, WELCOME, REFUSED, OFFER, DESCRIPTORS, RECEIVED, STATE, COMMITTED, ABORT = range(1, 10)
CONNECTIONS, ADOPTED, DRAINED = 10, 11, 12
RELEASED, UNCLAIMED = 15, 16
FRAMES_WITH_BYTES = (STATE, CONNECTIONS)
KNOWN_FRAMES = frozenset(range(1, 17))

FRAME_LIMIT = 16 * 1024 * 1024
PIECE_LIMIT = 1024 * 1024
BATCH_LIMIT = 64
BATCH_MARK = b"F"
TOKEN_LINE = re.compile(rb"[0-9a-f]{32}\n")
VISITOR_LIMIT = 64
CONTROL_BACKLOG = 128
ROUNDS = 10

GREETING_TIMEOUT = 5.0
LINGER = 1.0
KEEP_ALIVE = 5.0
REQUEST_TIMEOUT = 10.0
SHUTDOWN_IDLE = 1.0
READY_TIMEOUT = int(os.environ.get("READY_TIMEOUT", "60000"))
DRAIN_TIMEOUT = int(os.environ.get("DRAIN_TIMEOUT", "30000"))
BEHAVIOUR = os.environ.get("BEHAVIOUR", "serve")

RESERVED = ("@ready", "@control")
VERIFIED = ("kind", "family", "type", "address", "port", "path")


def tell(event, **details):
    # In one piece: the process that started this one writes to the same output.
    line = json.dumps({"event": event, "pid": os.getpid(), **details}) + "\n"
    try:
        os.write(1, line.encode())
    except OSError:
        pass  # Nobody reads any more: that is no reason to stop serving.


class HandoffError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code

    def payload(self):
        return {"code": self.code, "message": str(self)}


def protocol_error(message):
    return HandoffError("ERR_HANDOFF_PROTOCOL", message)


# ---- frames ----


class Frame:
    def __init__(self, kind, payload, data):
        self.kind = kind
        self.payload = payload
        self.data = data

    def error(self):
        """What a REFUSED or ABORT stands for."""
        fallback = "ERR_HANDOFF_REFUSED" if self.kind == REFUSED else "ERR_HANDOFF_ABORTED"
        return HandoffError(self.payload.get("code", fallback), self.payload.get("message", "no reason was given"))


def encode(kind, payload, data=b""):
    text = json.dumps(payload, separators=(",", ":")).encode()
    body = struct.pack(">I", len(text)) + text + data if kind in FRAMES_WITH_BYTES else text
    return struct.pack(">IB", 1 + len(body), kind) + body


def decode(body):
    """A frame; None for a type that nobody has told us of."""
    kind = body[0]
    if kind not in KNOWN_FRAMES:
        return None
    text, data = body[1:], b""
    if kind in FRAMES_WITH_BYTES:
        if len(body) < 5:
            raise protocol_error("a frame is too short for the length of its JSON")
        (length,) = struct.unpack_from(">I", body, 1)
        if 5 + length > len(body):
            raise protocol_error("the JSON of a frame is longer than the frame")
        text, data = body[5 : 5 + length], body[5 + length :]
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise protocol_error(f"a payload is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise protocol_error("a payload is not a JSON object")
    return Frame(kind, payload, bytes(data))


class Control:
    """One end of a control connection. Frames are read by a task of their own, so that an end is noticed at once."""

    def __init__(self, connection, start=b""):
        connection.setblocking(False)
        self.connection = connection
        self._frames = asyncio.Queue()
        self._sending = asyncio.Lock()
        self.ended = asyncio.Event()
        self._reader = asyncio.create_task(self._read(bytearray(start)))

    async def _read(self, buffer):
        loop = asyncio.get_running_loop()
        end = None
        try:
            while True:
                while len(buffer) >= 4:
                    (length,) = struct.unpack_from(">I", buffer)
                    if not 1 <= length <= FRAME_LIMIT:
                        raise protocol_error(f"a frame announced {length} bytes")
                    if len(buffer) < 4 + length:
                        break
                    frame = decode(bytes(buffer[4 : 4 + length]))
                    del buffer[: 4 + length]
                    if frame is not None:
                        self._frames.put_nowait(frame)
                chunk = await loop.sock_recv(self.connection, 65536)
                if chunk == b"":
                    break
                buffer += chunk
        except HandoffError as error:
            end = error
        except OSError:
            pass
        self._frames.put_nowait(end)
        self.ended.set()

    async def next(self):
        """The next frame; None at the end."""
        frame = await self._frames.get()
        if isinstance(frame, Frame):
            return frame
        self._frames.put_nowait(frame)
        if frame is not None:
            raise frame
        return None

    async def expect(self, kind):
        """The next frame, which has to be of this kind; None at the end."""
        frame = await self.next()
        if frame is None or frame.kind == kind:
            return frame
        if frame.kind in (REFUSED, ABORT):
            raise frame.error()
        raise protocol_error(f"a frame of type {frame.kind} came where {kind} belongs")

    async def send(self, kind, payload, data=b""):
        """Says something. That nobody hears it is told to whoever reads."""
        async with self._sending:
            try:
                await asyncio.get_running_loop().sock_sendall(self.connection, encode(kind, payload, data))
            except OSError:
                pass

    async def end(self):
        """Closes our half, and the rest when the other side has read the last word."""
        try:
            self.connection.shutdown(socket.SHUT_WR)
            await asyncio.wait_for(self.ended.wait(), LINGER)
        except (OSError, asyncio.TimeoutError):
            pass
        self.close()

    def close(self):
        self._reader.cancel()
        if self.connection.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.connection.fileno())
        self.connection.close()


# ---- descriptors ----


def facts(fd):
    """What the kernel says of a descriptor, in the words of the manifest."""
    mode = os.fstat(fd).st_mode
    if not stat.S_ISSOCK(mode):
        kinds = (
            (stat.S_ISFIFO, "pipe"),
            (stat.S_ISREG, "file"),
            (stat.S_ISDIR, "directory"),
            (stat.S_ISCHR, "character-device"),
            (stat.S_ISBLK, "block-device"),
        )
        return {"kind": next((name for test, name in kinds if test(mode)), "other")}
    with socket.socket(fileno=os.dup(fd)) as copy:
        listening = copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0
        types = {socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagram", socket.SOCK_SEQPACKET: "seqpacket"}
        families = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6", socket.AF_UNIX: "unix"}
        kind = "listener" if listening else "datagram" if copy.type == socket.SOCK_DGRAM else "socket"
        found = {"kind": kind, "family": families.get(copy.family), "type": types.get(copy.type)}
        name = copy.getsockname()
        if copy.family == socket.AF_INET:
            found.update(address=name[0], port=name[1])
        elif copy.family == socket.AF_INET6:
            found.update(address=name[0] + zone(name[3]), port=name[1])
            found["ipv6Only"] = copy.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) != 0
        elif copy.family == socket.AF_UNIX and name:
            found["path"] = unix_path(name)
        return found


def zone(index):
    if index == 0:
        return ""
    try:
        return "%" + socket.if_indextoname(index)
    except OSError:
        return f"%{index}"


def unix_path(name):
    text = os.fsdecode(name)
    if text.startswith("\0"):
        return "@" + text[1:]
    return "./" + text if text.startswith("@") else text


def verify(entry, fd):
    actual = facts(fd)
    wrong = [fact for fact in VERIFIED if entry.get(fact) != actual.get(fact)]
    if wrong:
        raise HandoffError(
            "ERR_HANDOFF_DESCRIPTOR_MISMATCH",
            f"what arrived as {entry['name']} differs from the manifest in {', '.join(wrong)}",
        )


def take_batch(lane, count):
    """What the announcement says is on the lane."""
    if not isinstance(count, int) or not 1 <= count <= BATCH_LIMIT:
        raise protocol_error(f"a batch of {count} descriptors was announced")
    close_on_exec = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    try:
        data, fds, flags, _ = socket.recv_fds(lane, len(BATCH_MARK), BATCH_LIMIT, close_on_exec)
    except BlockingIOError:
        data, fds, flags = b"", [], 0
    for fd in fds:
        os.set_inheritable(fd, False)
    if flags & socket.MSG_CTRUNC or data != BATCH_MARK or len(fds) != count:
        for fd in fds:
            os.close(fd)
        if flags & socket.MSG_CTRUNC:
            raise HandoffError("ERR_HANDOFF_TRUNCATED", "descriptors were lost: too many are open")
        raise protocol_error(f"{count} descriptors were announced and {len(fds)} were on the lane")
    return fds


def check_user(connection, who):
    """Only the same user and root, as the kernel knows them."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    pid, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (0, os.getuid()):
        raise HandoffError("ERR_HANDOFF_UNTRUSTED_PEER", f"the {who}, process {pid}, is of user {uid}")
    return pid


class State:
    """A value that goes through this process as it came: the bytes, and how they are encoded."""

    def __init__(self, late):
        self.late = late
        self.encoding = "bytes"
        self.pieces = []
        self.arrived = asyncio.get_running_loop().create_future()

    def add(self, frame):
        self.encoding = frame.payload.get("encoding")
        self.pieces.append(frame.data)
        if frame.payload.get("last") is True and not self.arrived.done():
            self.arrived.set_result(b"".join(self.pieces))
            self.pieces = []


# ---- the successor's side ----


class Takeover:
    """Everything that came from the predecessor, and the connection to it."""

    def __init__(self, control, lane):
        self.control = control
        self.lane = lane
        self.mode = "replace"
        self.predecessor = {}
        self.entries = {}
        self.fds = {}
        self.states = {}
        self.released = False

    def close_descriptors(self):
        for fd in self.fds.values():
            os.close(fd)
        self.fds.clear()

    def close(self):
        self.lane.close()
        self.control.close()

    async def end(self):
        self.lane.close()
        await self.control.end()


async def take_over(connection, lane):
    """The whole offer; None where the predecessor died before it was complete."""
    token = os.urandom(16).hex()
    lane.setblocking(False)
    # On the lane before HELLO is sent: an inherited lane is read when HELLO comes.
    try:
        lane.send(token.encode() + b"\n")
    except OSError:
        pass
    takeover = Takeover(Control(connection), lane)
    try:
        hello = {"protocol": [PROTOCOL], "intent": "takeover", "pid": os.getpid(), "token": token, "features": FEATURES}
        await takeover.control.send(HELLO, hello)
        if await receive_offer(takeover, lane):
            return takeover
        takeover.close_descriptors()
        takeover.close()
        return None
    except HandoffError as error:
        takeover.close_descriptors()
        await takeover.control.send(ABORT, error.payload())
        await takeover.end()
        raise


async def receive_offer(takeover, lane):
    control = takeover.control
    welcome = await control.expect(WELCOME)
    if welcome is None:
        return False
    if welcome.payload["protocol"] != PROTOCOL:
        raise HandoffError("ERR_HANDOFF_VERSION", f"the predecessor chose version {welcome.payload['protocol']}")
    takeover.predecessor = {"pid": welcome.payload["pid"], "generation": welcome.payload["generation"]}
    offer = await control.expect(OFFER)
    if offer is None:
        return False
    takeover.mode = offer.payload.get("mode", "replace")
    if takeover.mode not in ("replace", "keep", "share"):
        raise protocol_error(f"the offer has the mode {takeover.mode}")
    manifest = offer.payload["descriptors"]
    received = []
    try:
        while len(received) < len(manifest):
            announcement = await control.expect(DESCRIPTORS)
            if announcement is None:
                return False
            batch = take_batch(lane, announcement.payload.get("count"))
            received += batch
            if len(received) > len(manifest):
                raise protocol_error("more descriptors came than the offer lists")
            await control.send(RECEIVED, {"count": len(batch)})
        for entry, fd in zip(manifest, received):
            verify(entry, fd)
            if entry["name"] in takeover.fds:
                raise protocol_error(f"the offer lists {entry['name']} twice")
            takeover.entries[entry["name"]] = entry
            takeover.fds[entry["name"]] = fd
    finally:
        for fd in set(received) - set(takeover.fds.values()):
            os.close(fd)
    for entry in offer.payload["state"]:
        takeover.states[entry["name"]] = State(entry["late"])
    while any(not state.late and not state.arrived.done() for state in takeover.states.values()):
        frame = await control.expect(STATE)
        if frame is None:
            return False
        takeover.states[frame.payload["name"]].add(frame)
    return True


async def connect(path):
    """A connection to whoever listens on the path; None where nobody does."""
    address = "\0" + path[1:] if path.startswith("@") else path
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            connection.connect(address)
            check_user(connection, "owner of the control path")
            return connection
        except OSError as error:
            connection.close()
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                return None
            if error.errno != errno.EAGAIN:
                raise
        await asyncio.sleep(0.005)


def inherited_channel():
    """The two connections to the process that spawned this one; None where nobody did."""
    channel = os.environ.pop("FD_HANDOFF_CHANNEL", None)
    ready = os.environ.pop("FD_HANDOFF_READY_FD", None)
    listeners = os.environ.pop("LISTEN_FDS", "0")
    for name in ("LISTEN_FDNAMES", "LISTEN_PID"):
        os.environ.pop(name, None)
    if channel is None:
        return None
    if ready is not None:
        # The same listeners come over the lane, and a second write end would hide our death.
        for fd in [int(ready), *range(3, 3 + int(listeners))]:
            os.close(fd)
    sockets = [socket.socket(fileno=int(number)) for number in channel.split(",")]
    for connection in sockets:
        connection.set_inheritable(False)
    return sockets


async def find_predecessor(path):
    inherited = inherited_channel()
    if inherited is not None:
        takeover = await take_over(*inherited)
        if takeover is not None:
            return takeover
    for _ in range(ROUNDS if path else 0):
        connection = await connect(path)
        lane = None if connection is None else await connect(path)
        if connection is None or lane is None:
            continue
        takeover = await take_over(connection, lane)
        if takeover is not None:
            return takeover
    raise HandoffError("ERR_HANDOFF_REFUSED", f"nobody made an offer on {path}")


# ---- HTTP ----


class HttpService:
    """Serves HTTP/1.1 on listeners that it shares with others: it closes them, and never shuts them down."""

    def __init__(self):
        self.connections = set()
        self.closing = False
        self.idle_limit = KEEP_ALIVE
        self._listeners = {}

    def accept_on(self, name, fd):
        listener = socket.socket(fileno=os.dup(fd))
        # Of the description that is shared with the other process, which sets it too.
        listener.setblocking(False)
        self._listeners[name] = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    def stop_accepting(self):
        for name in list(self._listeners):
            self.abandon(name)

    def abandon(self, name):
        listener = self._listeners.pop(name, None)
        if listener is None:
            return
        # Before it is closed: epoll keeps reporting what others hold.
        asyncio.get_running_loop().remove_reader(listener.fileno())
        listener.close()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                tell("error", message=f"accept failed: {error}")
                return
            self.serve(connection, b"")

    def serve(self, connection, head):
        """Serves a connection, of which `head` has been read already."""
        connection.setblocking(False)
        task = asyncio.create_task(self._serve(connection, bytearray(head)))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def _serve(self, connection, buffer):
        loop = asyncio.get_running_loop()
        try:
            while await self._answer(loop, connection, buffer):
                pass
            # Everything was read that was asked. Our half ends first, so that the answer is not lost with the rest.
            connection.shutdown(socket.SHUT_WR)
            while await asyncio.wait_for(loop.sock_recv(connection, 65536), LINGER):
                pass
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            loop.remove_reader(connection.fileno())
            connection.close()

    async def _fill(self, loop, connection, buffer, limit):
        chunk = await asyncio.wait_for(loop.sock_recv(connection, 65536), limit)
        if chunk == b"":
            raise ConnectionResetError("the client closed")
        buffer += chunk

    async def _answer(self, loop, connection, buffer):
        """One request and its answer. Returns whether the connection is kept."""
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            await self._fill(loop, connection, buffer, REQUEST_TIMEOUT if buffer else self.idle_limit)
        request_line, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
        del buffer[: end + 4]
        version = request_line.split(" ")[-1]
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body_length = int(headers.get("content-length", "0"))
        if headers.get("expect", "").lower() == "100-continue" and len(buffer) < body_length:
            await loop.sock_sendall(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(buffer) < body_length:
            await self._fill(loop, connection, buffer, REQUEST_TIMEOUT)
        del buffer[:body_length]

        # Decided as late as can be. What is there already of a next request is answered before the close is announced.
        wishes = [wish.strip() for wish in headers.get("connection", "").lower().split(",")]
        keep = version == "HTTP/1.1" and "close" not in wishes and not (self.closing and not buffer)
        # Chunked bodies are not read here, so that nobody knows where the next request begins.
        keep = keep and "transfer-encoding" not in headers
        text = f"hello from {os.getpid()}\n".encode()
        head = [
            "HTTP/1.1 200 OK",
            f"x-served-by: {os.getpid()}",
            "Content-Type: text/plain",
            f"Content-Length: {len(text)}",
            f"Keep-Alive: timeout={int(KEEP_ALIVE)}" if keep else "Connection: close",
        ]
        await loop.sock_sendall(connection, "\r\n".join([*head, "", ""]).encode() + text)
        return keep

    async def drain(self, limit, cancelled=None):
        """Finishes what is open. Returns the counts; None where it was cancelled."""
        at_start = len(self.connections)
        deadline = asyncio.get_running_loop().time() + limit
        cancel = asyncio.create_task(cancelled.wait()) if cancelled is not None else None
        try:
            while self.connections:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                waiting = set(self.connections) | ({cancel} if cancel else set())
                await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if cancelled is not None and cancelled.is_set():
                    return None
            # The other side may be gone by now without this having been looked at.
            if cancelled is not None and cancelled.is_set():
                return None
        finally:
            if cancel is not None:
                cancel.cancel()
        forced = list(self.connections)
        for task in forced:
            task.cancel()
        return {"moved": 0, "drained": max(0, at_start - len(forced)), "forced": len(forced)}


# ---- the owner, and the predecessor's side ----


class Peer:
    def __init__(self, takeover, path):
        self.takeover = takeover
        self.path = path
        self.generation = takeover.predecessor["generation"] + 1
        self.entries = takeover.entries
        self.fds = takeover.fds
        self.states = takeover.states
        self.http = HttpService()
        self.phase = "starting"
        self.upstream_gone = asyncio.Event()
        self.left = asyncio.get_running_loop().create_future()
        self._call_off = asyncio.Event()
        self._control_listener = None
        self._visitors = 0
        self._lanes = {}
        self._tasks = set()

    def start(self, work):
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def listeners(self):
        """What HTTP is served on, by name."""
        return {
            name: fd
            for name, fd in self.fds.items()
            if name not in RESERVED
            and (self.entries[name]["kind"], self.entries[name]["type"]) == ("listener", "stream")
        }

    def accept(self):
        for name, fd in self.listeners.items():
            self.http.accept_on(name, fd)

    # -- as a successor --

    async def become_owner(self):
        claimed = os.environ.get("CLAIM")
        unclaimed = [name for name in self.fds if name not in RESERVED and claimed and name not in claimed.split(":")]
        if BEHAVIOUR == "hang":
            await self.hang("hanging")
        self.phase = "taking-over"
        if BEHAVIOUR == "serve":
            for name, fd in self.listeners.items():
                if name not in unclaimed:
                    self.http.accept_on(name, fd)
        ready = self.fds.pop("@ready")
        try:
            os.write(ready, b"python serves\n")
        except BrokenPipeError:
            pass  # Control tells who owns the service.
        os.close(ready)
        if BEHAVIOUR == "kill-at-newline":
            os.kill(os.getpid(), signal.SIGKILL)
        if BEHAVIOUR == "hang-at-newline":
            await self.hang("newline")
        control = self.takeover.control
        try:
            committed = await asyncio.wait_for(control.expect(COMMITTED), READY_TIMEOUT / 1000 + 1)
        except asyncio.TimeoutError:
            raise HandoffError("ERR_HANDOFF_TIMEOUT", "the predecessor said neither COMMITTED nor ABORT") from None
        # None: the predecessor died, and nobody else is left to own the service.
        tell("decided", how="orphaned" if committed is None else "committed")
        if BEHAVIOUR == "hang-at-commit":
            await self.hang("committed")
        if self.takeover.mode == "replace":
            # Without a name, too: the predecessor does not leave before it knows that its successor lives.
            await control.send(UNCLAIMED, {"names": unclaimed})
        for name in unclaimed:
            os.close(self.fds.pop(name))
        self.phase = "serving"
        self.start(self.watch_predecessor())
        if self.takeover.mode != "keep":
            self.open_control()

    async def hang(self, where):
        """Does nothing any more, until it is killed or called off."""
        tell(where, generation=self.generation)
        frame = await self.takeover.control.next()
        if frame is not None and frame.kind == ABORT:
            raise frame.error()
        await asyncio.Event().wait()

    async def watch_predecessor(self):
        """Late state, and the predecessor's end."""
        released = False
        try:
            while (frame := await self.takeover.control.next()) is not None:
                if frame.kind == STATE and frame.payload["name"] in self.states:
                    state = self.states[frame.payload["name"]]
                    state.add(frame)
                    if state.arrived.done():
                        tell("late-state", name=frame.payload["name"], bytes=list(state.arrived.result()[:16]))
                elif frame.kind == CONNECTIONS:
                    await self.adopt(frame)
                elif frame.kind == RELEASED:
                    released = True
        except HandoffError as error:
            tell("error", message=str(error))
        self.takeover.close()
        self.upstream_gone.set()
        if self.takeover.mode != "keep" or "@control" not in self.fds:
            return
        if released:
            os.close(self.fds.pop("@control"))
        elif self.phase == "serving":
            self.open_control()

    async def adopt(self, frame):
        """Serves established connections that the predecessor has no more to do with."""
        entries = frame.payload["entries"]
        try:
            fds = take_batch(self.takeover.lane, len(entries))
        except HandoffError as error:
            if error.code != "ERR_HANDOFF_TRUNCATED":
                raise
            # The predecessor has all of them still, and serves them.
            fds = []
        control = self.takeover.control
        await control.send(RECEIVED, {"count": len(fds)})
        ids, start = [], 0
        for entry, fd in zip(entries, fds):
            head = frame.data[start : start + entry["head"]]
            start += entry["head"]
            kind, _, name = entry["route"].partition(":")
            if kind == "listener" and name in self.listeners and self.phase in ("serving", "offering"):
                self.http.serve(socket.socket(fileno=fd), head)
                ids.append(entry["id"])
            else:
                os.close(fd)
        await control.send(ADOPTED, {"ids": ids})
        tell("adopted", count=len(ids))

    async def renounce(self, error):
        """The predecessor stays the owner: what was accepted is finished, everything else let go of."""
        self.http.stop_accepting()
        # The reason first: the end of the ready pipe would tell that we failed, and not why.
        await self.takeover.control.send(ABORT, error.payload())
        self.takeover.close_descriptors()
        await self.takeover.end()
        self.http.closing = True
        self.http.idle_limit = SHUTDOWN_IDLE
        await self.http.drain(DRAIN_TIMEOUT / 1000)

    async def release_upstream(self):
        if not self.upstream_gone.is_set():
            await self.takeover.control.send(RELEASED, {})

    # -- the control path --

    def open_control(self):
        if "@control" not in self.fds:
            return
        listener = socket.socket(fileno=os.dup(self.fds["@control"]))
        listener.setblocking(False)
        # Makes this process the one that the kernel names to visitors.
        listener.listen(CONTROL_BACKLOG)
        self._control_listener = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept_visitor, listener)

    def close_control(self):
        if self._control_listener is None:
            return
        asyncio.get_running_loop().remove_reader(self._control_listener.fileno())
        self._control_listener.close()
        self._control_listener = None

    def _accept_visitor(self, listener):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self.start(self._receive(connection))

    async def _receive(self, connection):
        """Lets somebody in, or turns it away: a control connection, or the lane of one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GREETING_TIMEOUT
        control = None
        self._visitors += 1
        try:
            if self._visitors > VISITOR_LIMIT:
                raise HandoffError("ERR_HANDOFF_BUSY", "too many visitors: try again in a few seconds")
            check_user(connection, "visitor")
            start = await before(deadline, loop.sock_recv(connection, 33))
            if start and start[0] >= 0x30:
                await self._take_lane(connection, start, deadline)
                return
            control = Control(connection, start)
            hello = read_hello(await before(deadline, control.expect(HELLO)))
            lane = await before(deadline, self._lane(hello["token"]))
            del self._lanes[hello["token"]]
        except HandoffError as error:
            await refuse(control or Control(connection), error)
            return
        except OSError:
            connection.close()
            return
        finally:
            self._visitors -= 1
        await self._offer(control, lane, hello)

    async def _take_lane(self, connection, start, deadline):
        loop = asyncio.get_running_loop()
        while len(start) < 33 and (more := await before(deadline, loop.sock_recv(connection, 33 - len(start)))):
            start += more
        if not TOKEN_LINE.fullmatch(start):
            raise protocol_error("neither a frame nor a token")
        arrival = self._lane(start[:32].decode())
        if arrival.done():
            raise protocol_error("a second lane with the same token")
        arrival.set_result(connection)

    def _lane(self, token):
        """The lane of that token, whichever of the two connections comes first."""
        arrival = self._lanes.get(token)
        if arrival is None:
            arrival = self._lanes[token] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(GREETING_TIMEOUT, self._forget_lane, token, arrival)
        return arrival

    def _forget_lane(self, token, arrival):
        if self._lanes.get(token) is not arrival:
            return
        del self._lanes[token]
        if arrival.done() and not arrival.cancelled():
            arrival.result().close()

    # -- as a predecessor --

    async def _offer(self, control, lane, hello):
        if self.phase != "serving":
            code = "ERR_HANDOFF_BUSY" if self.phase == "offering" else "ERR_HANDOFF_NOT_READY"
            lane.close()
            await refuse(control, HandoffError(code, f"process {os.getpid()} is {self.phase}"))
            return
        mode = "share" if hello["intent"] == "share" else "replace"
        self.phase = "offering"
        self._call_off.clear()
        offering = asyncio.create_task(self._make_offer(control, lane, mode))
        called_off = asyncio.create_task(self._call_off.wait())
        await asyncio.wait({offering, called_off}, timeout=READY_TIMEOUT / 1000, return_when=asyncio.FIRST_COMPLETED)
        called_off.cancel()
        try:
            if not offering.done():
                offering.cancel()
                await asyncio.wait({offering})
                if self._call_off.is_set():
                    raise HandoffError("ERR_HANDOFF_ABORTED", "the predecessor shuts down")
                raise HandoffError("ERR_HANDOFF_TIMEOUT", f"the successor was not ready within {READY_TIMEOUT} ms")
            status = offering.result()
        except (HandoffError, OSError, KeyError) as error:
            failure = error if isinstance(error, HandoffError) else HandoffError("ERR_HANDOFF_ABORTED", repr(error))
            await control.send(ABORT, failure.payload())
            lane.close()
            self.assert_non_blocking()
            tell("rollback", error=failure.payload())
            if self.phase == "offering":
                self.phase = "serving"
            await control.end()
            return
        lane.close()
        tell("commit", mode=mode, status=status)
        if mode == "share":
            self.phase = "serving"
            await control.send(COMMITTED, {"drainTimeout": 0, "mode": mode})
            await control.send(DRAINED, {"report": {}})
            await control.end()
        else:
            await self._commit(control)

    async def _make_offer(self, control, lane, mode):
        """From WELCOME to the newline; returns the status text before it. Changes nothing here."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        try:
            names = [name for name in self.fds if name != "@control" or (mode == "replace" and self._control_listener)]
            offered = [({**self.entries[name], **facts(self.fds[name])}, self.fds[name]) for name in names]
            offered.append(({"name": "@ready", **facts(writer)}, writer))
            await control.send(
                WELCOME,
                {"protocol": PROTOCOL, "pid": os.getpid(), "generation": self.generation, "features": FEATURES},
            )
            offer = {
                "mode": mode,
                "descriptors": [entry for entry, _ in offered],
                "state": [{"name": name, "late": state.late} for name, state in self.states.items()],
                "readyTimeout": READY_TIMEOUT,
            }
            await control.send(OFFER, offer)
            fds = [fd for _, fd in offered]
            for start in range(0, len(fds), BATCH_LIMIT):
                await self._send_batch(control, lane, fds[start : start + BATCH_LIMIT])
            # Ours, or the end of the pipe would never be seen.
            os.close(writer)
            writer = -1
            for name, state in self.states.items():
                if not state.late:
                    await send_state(control, name, state)
            return await self._newline(control, reader)
        finally:
            asyncio.get_running_loop().remove_reader(reader)
            os.close(reader)
            if writer >= 0:
                os.close(writer)

    async def _send_batch(self, control, lane, fds):
        try:
            lane.sendmsg([BATCH_MARK], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        except (BrokenPipeError, ConnectionResetError):
            raise HandoffError("ERR_HANDOFF_SUCCESSOR_EXITED", "the successor closed its lane") from None
        await control.send(DESCRIPTORS, {"count": len(fds)})
        received = await control.expect(RECEIVED)
        if received is None:
            raise HandoffError("ERR_HANDOFF_SUCCESSOR_EXITED", "the successor closed the control connection")
        if received.payload.get("count") != len(fds):
            raise protocol_error(f"{received.payload.get('count')} of {len(fds)} descriptors were acknowledged")

    async def _newline(self, control, reader):
        line = asyncio.create_task(read_line(reader))
        word = asyncio.create_task(control.next())
        try:
            await asyncio.wait({line, word}, return_when=asyncio.FIRST_COMPLETED)
            if line.done():
                return line.result()
            frame = word.result()
            if frame is None:
                raise HandoffError("ERR_HANDOFF_SUCCESSOR_EXITED", "the successor closed the control connection")
            raise frame.error() if frame.kind == ABORT else protocol_error(f"a frame of type {frame.kind} came too early")
        finally:
            line.cancel()
            word.cancel()

    async def _commit(self, control):
        """The newline was read: stops accepting, and drains; or serves again, where the successor dies before that."""
        self.phase = "draining"
        await self.release_upstream()
        self.http.stop_accepting()
        self.http.closing = True
        self.close_control()
        await control.send(COMMITTED, {"drainTimeout": DRAIN_TIMEOUT, "mode": "replace"})
        tell("draining")
        died = asyncio.Event()
        watch = self.start(self._watch_successor(control, died))
        late = self.start(self._send_late_states(control))
        counts = await self.http.drain(DRAIN_TIMEOUT / 1000, died)
        if counts is not None:
            # A late state that is still on its way through us is waited for, as is the successor's death.
            death = asyncio.create_task(died.wait())
            await asyncio.wait({late, death}, timeout=DRAIN_TIMEOUT / 1000, return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
        late.cancel()
        if died.is_set():
            self._give_back(control)
            return
        watch.cancel()
        report = {**counts, "reason": "handoff"}
        tell("drain", **report)
        await control.send(DRAINED, {"report": report})
        await control.end()
        self.finish(0)

    async def _watch_successor(self, control, died):
        released = False
        try:
            while (frame := await control.next()) is not None:
                if frame.kind == RELEASED:
                    released = True
                elif frame.kind == UNCLAIMED:
                    for name in frame.payload["names"]:
                        self.abandon(name)
        except HandoffError as error:
            tell("error", message=str(error))
        if not released:
            died.set()

    async def _send_late_states(self, control):
        for name, state in self.states.items():
            if not state.late:
                continue
            gone = asyncio.create_task(self.upstream_gone.wait())
            await asyncio.wait({state.arrived, gone}, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if state.arrived.done():
                await send_state(control, name, state)

    def _give_back(self, control):
        control.close()
        self.assert_non_blocking()
        self.http.closing = False
        self.accept()
        self.open_control()
        self.phase = "serving"
        tell("give-back")

    def abandon(self, name):
        """Nobody will serve this: whoever connects is to be refused."""
        if name in RESERVED or name not in self.fds:
            return
        self.http.abandon(name)
        self.unlink(name)
        os.close(self.fds.pop(name))

    def unlink(self, name):
        """Removes the socket file of a listener, which is still held, so that it is ours for certain."""
        path = self.entries[name].get("path")
        if path is not None and not path.startswith("@"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def assert_non_blocking(self):
        """Undoes what a successor may have done to the descriptions that it shares with this process."""
        for fd in self.listeners.values():
            os.set_blocking(fd, False)

    # -- the end --

    async def shut_down(self):
        if self.phase in ("draining", "shutting-down"):
            return
        before = self.phase
        self.phase = "shutting-down"
        if before in ("starting", "taking-over"):
            await self.renounce(HandoffError("ERR_HANDOFF_ABORTED", "the successor was told to shut down"))
            self.finish(0)
            return
        self._call_off.set()
        await self.release_upstream()
        self.http.stop_accepting()
        self.close_control()
        self.http.closing = True
        self.http.idle_limit = SHUTDOWN_IDLE
        report = await self.http.drain(DRAIN_TIMEOUT / 1000)
        tell("drain", **report, reason="shutdown")
        for name in list(self.fds):
            self.unlink(name)
            os.close(self.fds.pop(name))
        self.finish(0)

    def finish(self, code):
        if not self.left.done():
            self.left.set_result(code)


async def before(deadline, waiting):
    """What is waited for, or the error for a visitor that is too slow."""
    try:
        return await asyncio.wait_for(waiting, max(0, deadline - asyncio.get_running_loop().time()))
    except asyncio.TimeoutError:
        raise HandoffError("ERR_HANDOFF_TIMEOUT", "control, HELLO and lane did not come in time") from None


def read_hello(frame):
    if frame is None:
        raise HandoffError("ERR_HANDOFF_REFUSED", "the visitor left before it had introduced itself")
    hello = frame.payload
    if not isinstance(hello.get("protocol"), list) or PROTOCOL not in hello["protocol"]:
        raise HandoffError("ERR_HANDOFF_VERSION", f"this process speaks version {PROTOCOL} only")
    if hello.get("intent") not in ("takeover", "share"):
        raise HandoffError("ERR_HANDOFF_REFUSED", f"the intent {hello.get('intent')} is not answered here")
    token = hello.get("token")
    if not isinstance(token, str) or not TOKEN_LINE.fullmatch(token.encode() + b"\n"):
        raise protocol_error("the token is not 32 hexadecimal characters")
    return hello


async def refuse(control, error):
    await control.send(REFUSED, error.payload())
    await control.end()


async def send_state(control, name, state):
    value = state.arrived.result()
    for start in range(0, len(value), PIECE_LIMIT) or [0]:
        piece = value[start : start + PIECE_LIMIT]
        last = start + PIECE_LIMIT >= len(value)
        await control.send(STATE, {"name": name, "late": state.late, "encoding": state.encoding, "last": last}, piece)


async def read_line(reader):
    """What stands before the newline on the ready pipe."""
    loop = asyncio.get_running_loop()
    text = b""
    while True:
        readable = loop.create_future()
        loop.add_reader(reader, lambda waiting=readable: waiting.done() or waiting.set_result(None))
        try:
            await readable
        finally:
            loop.remove_reader(reader)
        chunk = os.read(reader, 4096)
        if chunk == b"":
            raise HandoffError("ERR_HANDOFF_SUCCESSOR_EXITED", "the ready pipe ended without a newline")
        line, newline, _ = chunk.partition(b"\n")
        text = (text + line)[:4096]
        if newline:
            return text.decode(errors="replace")


async def main():
    path = os.environ.get("CONTROL")
    try:
        takeover = await asyncio.wait_for(find_predecessor(path), READY_TIMEOUT / 1000)
    except HandoffError as error:
        tell("failed", **error.payload())
        return 1
    peer = Peer(takeover, path)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: peer.start(peer.shut_down()))
    manifest = list(peer.entries.values())
    tell("offered", mode=takeover.mode, names=[entry["name"] for entry in manifest])
    owning = asyncio.create_task(peer.become_owner())
    # A signal may end it before it is the owner.
    await asyncio.wait({owning, peer.left}, return_when=asyncio.FIRST_COMPLETED)
    if peer.phase != "shutting-down":
        try:
            owning.result()
        except HandoffError as error:
            await peer.renounce(error)
            tell("failed", **error.payload())
            return 5
        served = [entry for entry in manifest if entry["name"] in peer.listeners]
        tell(
            "ready",
            generation=peer.generation,
            predecessor=takeover.predecessor,
            addresses=[{fact: entry[fact] for fact in ("address", "port", "path") if fact in entry} for entry in served],
        )
    code = await peer.left
    # A predecessor that is still there has to read RELEASED: with a close at once its next write would fail, and with it
    # everything that it has not read.
    await takeover.end()
    tell("gone")
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
