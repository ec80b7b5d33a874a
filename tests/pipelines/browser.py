"""A page in headless Chromium, driven over its debugging pipe (no package beside Chromium itself is needed)."""
import base64
import json
import os
import shutil
import subprocess
import tempfile

COMMANDS = ('chromium', 'chromium-browser', 'google-chrome')


def find():
    """The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, COMMANDS) if path), None)


class Browser:
    """One tab. Events are kept in the order they came."""

    def __init__(self, path):
        self.folder = tempfile.mkdtemp()
        read_commands, self.commands = os.pipe()
        self.answers, write_answers = os.pipe()
        self.process = subprocess.Popen(
            [path, '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run',
             '--disable-background-networking', '--remote-debugging-pipe', f'--user-data-dir={self.folder}', 'about:blank'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
            preexec_fn=lambda: place_pipes(read_commands, write_answers))
        os.close(read_commands)
        os.close(write_answers)
        self.rest, self.last, self.events, self.session = b'', 0, [], None
        target = next(t for t in self.call('Target.getTargets')['targetInfos'] if t['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)['sessionId']
        for domain in 'Page', 'Network', 'Log', 'Runtime':
            self.call(f'{domain}.enable')

    def message(self):
        while b'\0' not in self.rest:
            piece = os.read(self.answers, 1 << 20)
            if not piece:
                raise RuntimeError('the browser has ended')
            self.rest += piece
        text, self.rest = self.rest.split(b'\0', 1)
        return json.loads(text)

    def call(self, method, **parameters):
        """The result of a command."""
        self.last += 1
        command = {'id': self.last, 'method': method, 'params': parameters}
        if self.session:
            command['sessionId'] = self.session
        os.write(self.commands, json.dumps(command).encode() + b'\0')
        while True:
            message = self.message()
            if message.get('id') == self.last:
                if 'error' in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message['result']
            self.events.append(message)

    def open(self, url):
        self.call('Page.navigate', url=url)
        while not any(event['method'] == 'Page.loadEventFired' for event in self.events):
            self.events.append(self.message())

    def ask(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(result['exceptionDetails']['text'])
        return result['result'].get('value')

    def show(self, width, theme):
        """As on a screen of @width pixels whose owner prefers @theme."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': theme}])

    def screenshot(self, path):
        size = self.call('Page.getLayoutMetrics')['cssContentSize']
        clip = {'x': 0, 'y': 0, 'width': size['width'], 'height': size['height'], 'scale': 1}
        data = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=True, clip=clip)['data']
        with open(path, 'wb') as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.folder, ignore_errors=True)


def place_pipes(commands, answers):
    """Where --remote-debugging-pipe reads (3) and writes (4), in the new process."""
    commands, answers = os.dup(commands), os.dup(answers)
    commands, answers = (os.dup(fd) if fd in (3, 4) else fd for fd in (commands, answers))
    os.dup2(commands, 3)
    os.dup2(answers, 4)
