"""What tests of archives share: a tiny run, the command, taking archives apart and putting them together."""
import gzip
import hashlib
import io
import os
import struct
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'pipelines'))

from whole_runs import noise

SIZE, CLASSES = 8, 4
HERE = os.path.dirname(os.path.abspath(__file__))
PIPELINE = os.path.join(HERE, 'small.yaml')


def write_set(folder, name, count):
    """A set of tiny images: class k is a bright bar at a height of its own over noise."""
    images = bytearray()
    for i in range(count):
        top = i % CLASSES * 2
        images += bytes(200 + noise(j) % 50 if top <= j // SIZE < top + 2 else noise(i * 997 + j) // 3
                        for j in range(SIZE * SIZE))
    parts = {'images-idx3': struct.pack('>IIII', 0x803, count, SIZE, SIZE) + images,
             'labels-idx1': struct.pack('>II', 0x801, count) + bytes(i % CLASSES for i in range(count))}
    for part, data in parts.items():
        with open(os.path.join(folder, f'{name}-{part}-ubyte.gz'), 'wb') as file:
            file.write(gzip.compress(data, mtime=0))


def write_job(folder):
    """The data and the pipeline file, which is then used with relative paths."""
    write_set(folder, 'train', 64)
    write_set(folder, 't10k', 24)
    with open(PIPELINE, encoding='utf-8') as source, open(os.path.join(folder, 'small.yaml'), 'w', encoding='utf-8') as to:
        to.write(source.read())


class Command:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.env = dict(os.environ, LIMBECK_STORE='none', XDG_CACHE_HOME=os.path.join(folder, 'cache'))

    def __call__(self, *arguments, **env):
        """Exit status, standard output and standard error."""
        done = subprocess.run([self.path, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, env=dict(self.env, **env))
        return done.returncode, done.stdout, done.stderr


def members(path):
    """Names and bytes, in the archive's order."""
    plain = subprocess.run(['zstd', '-dcq', path], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return [(entry.name, tar.extractfile(entry).read()) for entry in tar]


def entry(name, size, kind=tarfile.REGTYPE, target=''):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = size, kind, target, 0o644
    return info


def pack(path, entries):
    """A plain tar file, which is read as one that is packed, of (TarInfo or name, bytes)."""
    with tarfile.open(path, 'w', format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info if isinstance(info, tarfile.TarInfo) else entry(info, len(data)), io.BytesIO(data))


def with_sums(entries):
    """The same with the list of digests that fits, in front."""
    entries = sorted((name, data) for name, data in entries if name != 'SHA256SUMS')
    sums = ''.join(f'{hashlib.sha256(data).hexdigest()}  {name}\n' for name, data in entries)
    return [('SHA256SUMS', sums.encode())] + entries
