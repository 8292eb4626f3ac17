"""A service manager like systemd, as far as a service can tell: it passes sockets, reads what the service says, checks who
says it, keeps descriptors, and starts the service again when its main process is gone.

    python3 service_manager.py '{"command": ["node", "server.js"], ...}'

It tells what happens on standard output, a JSON object a line. SIGUSR1: systemctl reload. SIGUSR2: tells what it keeps.
SIGTERM: systemctl stop. Written from sd_notify(3), sd_listen_fds(3), systemd.service(5) and systemd.exec(5).
"""

import array
import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LISTEN_FDS_START = 3
LONGEST_MESSAGE = 4096


def tell(event, pid, **details):
    sys.stdout.write(json.dumps({'event': event, 'pid': pid, **details}) + '\n')
    sys.stdout.flush()


def monotonic():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class Store:
    def __init__(self, size):
        self.size = size
        self.kept = []

    def put(self, name, fds):
        for fd in fds:
            same = any(os.path.sameopenfile(fd, other) for _, other in self.kept)
            if same or len(self.kept) >= self.size:
                os.close(fd)
                tell('store-refused', os.getpid(), name=name, why='same' if same else 'full')
            else:
                self.kept.append((name, fd))

    def remove(self, name):
        for entry in [entry for entry in self.kept if entry[0] == name]:
            os.close(entry[1])
            self.kept.remove(entry)


class Manager:
    def __init__(self, config):
        self.config = config
        self.state = 'dead'
        self.main = None
        self.stopping = False
        self.asked = None
        self.last_sign = None
        self.time_out = None
        self.store = Store(config.get('store', 0))
        self.sockets = [(entry['name'], self.listener(entry)) for entry in config.get('sockets', [])]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        address = config['notify']
        self.notify.bind('\0' + address[1:] if address.startswith('@') else address)
        self.notify.setblocking(False)
        self.wakeup, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    @staticmethod
    def listener(entry):
        if 'path' in entry:
            kind = socket.SOCK_DGRAM if entry.get('datagram') else socket.SOCK_STREAM
            made = socket.socket(socket.AF_UNIX, kind)
            made.bind(entry['path'])
        else:
            kind = socket.SOCK_DGRAM if entry.get('datagram') else socket.SOCK_STREAM
            family = socket.AF_INET6 if ':' in entry.get('host', '') else socket.AF_INET
            made = socket.socket(family, kind)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((entry.get('host', '127.0.0.1'), entry.get('port', 0)))
        if not entry.get('datagram'):
            made.listen(511)
        return made

    def start(self):
        passed = [(name, made.fileno()) for name, made in self.sockets] + self.store.kept
        environment = {**os.environ, 'NOTIFY_SOCKET': self.config['notify'], **self.config.get('env', {})}
        for name in ('LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'FDSTORE'):
            environment.pop(name, None)
        if self.store.size > 0 and self.config.get('tells_store', True):
            environment['FDSTORE'] = str(self.store.size)
        pid = os.fork()
        if pid == 0:
            try:
                self.become_service(passed, environment)
            finally:
                os._exit(127)
        self.main = pid
        self.state = 'start'
        self.last_sign = None
        ports = [[name, made.getsockname()[1]] for name, made in self.sockets if made.family != socket.AF_UNIX]
        tell('started', pid, passed=[name for name, _ in passed], sockets=ports)

    def become_service(self, passed, environment):
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Out of the way first: the numbers that are wanted may be taken by others of them.
        copies = [os.dup(fd) for _, fd in passed]
        above = max([LISTEN_FDS_START + len(passed), *copies]) + 1
        high = []
        for copy in copies:
            os.dup2(copy, above + len(high), inheritable=False)
            high.append(above + len(high))
        for index, fd in enumerate(high):
            os.dup2(fd, LISTEN_FDS_START + index, inheritable=True)
        pid = str(os.getpid())
        if passed:
            environment['LISTEN_PID'] = pid
            environment['LISTEN_FDS'] = str(len(passed))
            environment['LISTEN_FDNAMES'] = ':'.join(name for name, _ in passed)
        if 'watchdog' in self.config:
            environment['WATCHDOG_USEC'] = str(self.config['watchdog'])
            environment['WATCHDOG_PID'] = pid
        environment['SYSTEMD_EXEC_PID'] = pid
        command = self.config['command']
        os.execvpe(command[0], command, environment)

    def run(self):
        tell('manager', os.getpid())
        self.start()
        while self.state != 'over':
            waits = 0.05 if 'watchdog' in self.config else None
            readable, _, _ = select.select([self.notify, self.wakeup], [], [], waits)
            # As systemd does: what a process has said counts before its death does.
            if self.notify in readable:
                self.read_messages()
            if self.wakeup in readable:
                for number in os.read(self.wakeup, 64):
                    self.on_signal(number)
            self.check_watchdog()

    def read_messages(self):
        while True:
            try:
                data, control, flags, _ = self.notify.recvmsg(LONGEST_MESSAGE + 1, 4096, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            fds = array.array('i')
            # Never 0, which kill(2) takes for a whole group: whoever reads this ends the processes that it names.
            sender = os.getpid()
            for level, kind, content in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
                elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    sender = struct.unpack('3i', content)[0] or sender
            self.on_message(data, sender, list(fds), flags)

    def on_message(self, data, sender, fds, flags):
        lines = data.decode('utf-8').rstrip('\n').split('\n')
        if len(data) > LONGEST_MESSAGE or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            tell('violation', sender, why='a message is too long', lines=lines)
            return
        tags = dict(line.split('=', 1) for line in lines)
        # Answered whoever asks: it says nothing about the service.
        if 'BARRIER' in tags:
            if len(tags) != 1 or len(fds) != 1:
                tell('violation', sender, why='a barrier stands alone, with one descriptor', tags=tags, fds=len(fds))
            tell('barrier', sender)
            for fd in fds:
                os.close(fd)
            return
        if self.config.get('access', 'main') == 'main' and sender != self.main:
            tell('rejected', sender, tags=tags, main=self.main)
            for fd in fds:
                os.close(fd)
            return
        before = self.state
        self.act_on(tags, sender, fds)
        tell('notify', sender, tags=tags, fds=len(fds), before=before, state=self.state, main=self.main)

    def act_on(self, tags, sender, fds):
        if 'MAINPID' in tags:
            pid = int(tags['MAINPID'])
            if os.path.exists(f'/proc/{pid}'):
                self.main = pid
            else:
                tell('violation', sender, why='the new main process does not exist', tags=tags)
        if 'READY' in tags:
            if self.state in ('start', 'reload', 'running'):
                self.state = 'running'
                self.last_sign = self.last_sign or monotonic()
            else:
                tell('violation', sender, why=f'READY=1 while {self.state}', tags=tags)
        if 'RELOADING' in tags:
            at = int(tags.get('MONOTONIC_USEC', 0))
            if self.state == 'reload-signal' and at < self.asked:
                tell('violation', sender, why='this reload began before it was asked for', tags=tags)
            elif self.state in ('running', 'reload-signal') and at > 0:
                self.state = 'reload'
            else:
                tell('violation', sender, why=f'RELOADING=1 while {self.state}', tags=tags)
        if 'STOPPING' in tags:
            self.state = 'stop'
        if 'WATCHDOG' in tags:
            self.last_sign = monotonic()
        if 'FDSTORE' in tags:
            if tags.get('FDPOLL') != '0':
                tell('violation', sender, why='a stored socket would be dropped when it hangs up', tags=tags)
            self.store.put(tags['FDNAME'], fds)
        elif 'FDSTOREREMOVE' in tags:
            self.store.remove(tags['FDNAME'])
        else:
            for fd in fds:
                os.close(fd)

    def check_watchdog(self):
        limit = self.config.get('watchdog')
        if limit is None or self.last_sign is None or self.state not in ('running', 'reload'):
            return
        if monotonic() - self.last_sign > limit:
            tell('watchdog', self.main)
            self.last_sign = None
            os.kill(self.main, signal.SIGKILL)

    def on_signal(self, number):
        if number == signal.SIGCHLD:
            self.reap()
        elif number == signal.SIGUSR1:
            self.asked = monotonic()
            self.state = 'reload-signal'
            tell('reload', self.main)
            os.kill(self.main, signal.SIGHUP)
        elif number == signal.SIGUSR2:
            tell('kept', os.getpid(), names=sorted(name for name, _ in self.store.kept))
        elif number == signal.SIGTERM:
            self.stopping = True
            os.kill(self.main, signal.SIGTERM)

    def reap(self):
        while True:
            # Who said something last of all has said it before this.
            self.read_messages()
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                # As systemd sees by the empty control group: a main process that another one has started was waited for
                # by that one.
                if self.state not in ('dead', 'over'):
                    tell('empty', self.main)
                    self.on_main_exit()
                return
            if pid == 0:
                return
            tell('exited', pid, status=os.waitstatus_to_exitcode(status), main=self.main)
            if pid == self.main:
                self.on_main_exit()

    def on_main_exit(self):
        self.state = 'dead'
        if self.stopping or self.config.get('restart', 'always') != 'always':
            self.state = 'over'
        else:
            self.start()


Manager(json.loads(sys.argv[1])).run()
