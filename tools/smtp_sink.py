#!/usr/bin/python3
"""A mail server for demos and tests: accepts everything on loopback and files it, one .eml per mail.

It speaks the part of RFC 5321 that libcurl uses. Mail is written to <directory>/tmp and renamed into
<directory>/new, as in a Maildir, so that readers never see half a file.
"""

import argparse
import asyncio
import itertools
import os
import signal
import time
from pathlib import Path

MAIL_MAX_BYTES = 1 << 20  # notices are a few KiB
LINE_MAX_BYTES = 8192


class Session:
    def __init__(self, directory, counter, reader, writer):
        self.directory, self.counter, self.reader, self.writer = directory, counter, reader, writer
        self.sender, self.recipients = None, []

    async def say(self, line):
        self.writer.write(line.encode() + b'\r\n')
        await self.writer.drain()

    async def run(self):
        await self.say('220 localhost ESMTP sink')
        while line := await self.reader.readline():
            word, _, rest = line.decode(errors='replace').strip().partition(' ')
            handler = getattr(self, 'do_' + word.lower(), None)
            if not handler:
                await self.say('502 5.5.2 not known here')
            elif await handler(rest) == 'bye':
                return

    async def do_ehlo(self, _):
        await self.say('250-localhost')
        await self.say('250-8BITMIME')
        await self.say('250-SMTPUTF8')
        await self.say(f'250 SIZE {MAIL_MAX_BYTES}')

    async def do_helo(self, _):
        await self.say('250 localhost')

    async def do_mail(self, rest):
        self.sender, self.recipients = rest, []
        await self.say('250 2.1.0 ok')

    async def do_rcpt(self, rest):
        self.recipients.append(rest)
        await self.say('250 2.1.5 ok')

    async def do_rset(self, _):
        self.sender, self.recipients = None, []
        await self.say('250 2.0.0 ok')

    async def do_noop(self, _):
        await self.say('250 2.0.0 ok')

    async def do_quit(self, _):
        await self.say('221 2.0.0 bye')
        return 'bye'

    async def do_data(self, _):
        if not self.recipients:
            return await self.say('503 5.5.1 no recipient')
        await self.say('354 go on')
        lines, size = [], 0
        while (line := await self.reader.readline()) not in (b'.\r\n', b'.\n', b''):
            size += len(line)
            if size <= MAIL_MAX_BYTES:
                lines.append(line[1:] if line.startswith(b'..') else line)
        if size > MAIL_MAX_BYTES:
            return await self.say('552 5.3.4 too big')
        self.file(b''.join(lines))
        await self.say('250 2.0.0 filed')

    def file(self, text):
        name = f'{time.time_ns()}.{next(self.counter)}.eml'
        envelope = ''.join(f'X-Envelope-To: {to}\r\n' for to in self.recipients)
        draft = self.directory / 'tmp' / name
        draft.write_bytes(f'X-Envelope-From: {self.sender}\r\n{envelope}'.encode() + text)
        os.rename(draft, self.directory / 'new' / name)


async def serve(host, port, directory):
    counter = itertools.count()

    async def on_connect(reader, writer):
        try:
            await Session(directory, counter, reader, writer).run()
        except (ConnectionError, ValueError):
            pass  # the client went away, or sent a line over the limit
        finally:
            writer.close()

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_server(on_connect, host, port, limit=LINE_MAX_BYTES)
    await stop.wait()
    server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--listen', default='127.0.0.1:2525', help='host:port')
    parser.add_argument('--directory', required=True, type=Path)
    arguments = parser.parse_args()
    for part in ('tmp', 'new'):
        (arguments.directory / part).mkdir(parents=True, exist_ok=True)
    host, _, port = arguments.listen.rpartition(':')
    asyncio.run(serve(host, int(port), arguments.directory))


if __name__ == '__main__':
    main()
