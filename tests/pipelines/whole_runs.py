"""What tests of whole runs share: a tiny data set that they make themselves, comparing of results, TAP."""
import gzip
import json
import os
import re
import struct

SIZE, CLASSES = 28, 10


def noise(i):
    """Byte i of a fixed sequence."""
    h = (i * 0x9E3779B1 + 1) & 0xFFFFFFFF
    h = ((h ^ h >> 15) * 0x2C1B3C6D) & 0xFFFFFFFF
    return (h ^ h >> 12) >> 16 & 0xFF


def write_set(folder, name, count):
    """The two files of a set of @count images, classes in turn, under Fashion-MNIST's names.

    Class k is a bright bar at a height of its own over noise, so a few steps of training tell classes apart.
    """
    images = bytearray()
    for i in range(count):
        top = 1 + (i % CLASSES) * 26 // CLASSES
        images += bytes(200 + noise(j) % 50 if top <= j // SIZE % SIZE < top + 3 else noise(i * 997 + j) // 3
                        for j in range(SIZE * SIZE))
    parts = {'images-idx3': struct.pack('>IIII', 0x803, count, SIZE, SIZE) + images,
             'labels-idx1': struct.pack('>II', 0x801, count) + bytes(i % CLASSES for i in range(count))}
    for part, data in parts.items():
        with open(os.path.join(folder, f'{name}-{part}-ubyte.gz'), 'wb') as file:
            file.write(gzip.compress(data, mtime=0))


def files_under(folder):
    return {os.path.relpath(os.path.join(base, name), folder): os.path.join(base, name)
            for base, _, names in os.walk(folder) for name in names}


def content(path):
    """What of a result may not depend on threads: all but the times in metrics.json, in a report and in the log, and the
    order in which the rows of different stages were recorded."""
    with open(path, 'rb') as file:
        data = file.read()
    if os.path.basename(path) in ('log.txt', 'status.json'):
        return None
    if os.path.basename(path) in ('metrics.csv', 'metrics.jsonl'):
        return sorted(data.splitlines(), key=lambda row: row.split(b',')[0])
    if os.path.basename(path) == 'metrics.json':
        metrics = json.loads(data)
        return {key: metrics[key] for key in metrics.keys() - {'timing'}}
    if path.endswith('.html'):
        return re.sub(rb'<dl class="facts">.*?</dl>|<section id="costs">.*?</section>', b'', data, flags=re.DOTALL)
    if os.path.basename(path) == 'provenance.json':
        manifest = json.loads(data)['manifest']
        # The files of a stage that tells of times have them.
        stages = [{key: stage[key] for key in stage.keys() - ({'seconds', 'results'} if stage['closes'] else {'seconds'})}
                  for stage in manifest['stages']]
        return {key: manifest[key] for key in manifest.keys() - {'run'}} | {'stages': stages}
    return data


class Tap:
    def __init__(self):
        self.count = self.failures = 0

    def check(self, good, name, why=''):
        self.count += 1
        self.failures += not good
        print(f"{'ok' if good else 'not ok'} {self.count} {name}", flush=True)
        if not good and why:
            print('\n'.join('# ' + line for line in why.splitlines()), flush=True)
        return good

    def skip(self, name, why):
        self.count += 1
        print(f'ok {self.count} {name} # SKIP {why}', flush=True)
