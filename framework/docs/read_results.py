#!/usr/bin/env python3
"""A notebook of a run's results, with nothing but NumPy: the cells begin with # %% (VS Code, Spyder and Jupytext know them).

    read_results.py DIRECTORY        what `limbeck run --output DIRECTORY` has written

reading-results.md beside this file tells what each file and each member of an .npz file holds.
"""
# %% Where the results are
import csv
import json
import pathlib
import sys

import numpy as np

directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else 'ladd-fashion-mnist.out')

# %% What was run, and every figure that its stages told
metrics = json.loads((directory / 'metrics.json').read_text())
print(metrics['title'], '- seed', metrics['seed'])
for stage in metrics['stages']:
    for metric in stage['metrics']:
        value = np.nan if metric['value'] is None else metric['value']  # null: not finite
        print(f"  {stage['name']}: {metric['name']} {value:.6g} {metric['unit'] or ''}")

# %% How values went while it ran: an array of steps and one of values for each stage and name
curves = {}
with open(directory / 'run' / 'metrics.csv', newline='') as file:
    for row in csv.DictReader(file):
        # A run that went on where one was stopped tells a few steps twice; the later row counts.
        curves.setdefault((row['stage'], row['name']), {})[int(row['step'])] = float(row['value'])
curves = {key: (np.array(sorted(points)), np.array([points[step] for step in sorted(points)]))
          for key, points in curves.items()}
for (stage, name), (steps, values) in curves.items():
    print(f'  {stage} {name}: {values[0]:.4g} at step {steps[0]}, {values[-1]:.4g} at step {steps[-1]}')


# %% Sets of images
def pixels(result):
    """Images as stored values, u8 [n, h, w, c]: what image libraries show."""
    images = result['images']
    if 'unwhitening' in result:  # of a whitened set
        shape = images.shape
        matrix = result['unwhitening'].reshape(images[0].size, images[0].size)
        images = (images.reshape(len(images), -1).astype('f4') @ matrix).reshape(shape) + result['whitening_mean']
    if images.dtype != np.uint8:  # f16 and f32 are normalised
        mean, std = (result[name].reshape(1, -1, 1, 1) for name in ('mean', 'std'))
        images = np.clip(np.rint((images.astype('f4') * std + mean) * 255), 0, 255).astype('u1')
    return images.transpose(0, 2, 3, 1)


results = {path.name: dict(np.load(path)) for path in sorted(directory.glob('*.npz'))}
for name, result in results.items():
    print(name)
    for member, array in result.items():
        print(f'  {member}: {array.dtype} {list(array.shape)}')
    if 'images' not in result:
        continue
    shown = pixels(result)
    print(f'  pixels {shown.min()} to {shown.max()}, mean {shown.mean():.2f}, {len(np.unique(result["labels"]))} classes')


# %% Views and their soft labels
def view(image, window):
    """What of an image [h, w, c] lies in a window (x, y, width, height), resized to the image's size, bilinearly."""
    height, width = image.shape[:2]
    x, y, w, h = window
    at_x = np.clip(x + (np.arange(width) + 0.5) * w / width - 0.5, 0, width - 1)
    at_y = np.clip(y + (np.arange(height) + 0.5) * h / height - 0.5, 0, height - 1)
    left, top = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    fx, fy = (at_x - left)[None, :, None], (at_y - top)[:, None, None]
    image = image.astype('f4')
    rows = [image[at][:, left] * (1 - fx) + image[at][:, right] * fx for at in (top, bottom)]
    return rows[0] * (1 - fy) + rows[1] * fy


for name, result in results.items():
    if 'dense_labels' not in result:
        continue
    dense = result['dense_labels']  # [image, view, class]; each row sums to 1, or to 255 in u8
    dense = dense / 255 if dense.dtype == np.uint8 else dense.astype('f4')
    answer = dense.argmax(axis=2)
    if 'dense_classes' in result:  # of top-k labels: which classes these are
        answer = np.take_along_axis(result['dense_classes'], answer[..., None], axis=2)[..., 0]
    entropy = -(dense * np.log2(np.maximum(dense, 1e-30))).sum(axis=2)
    agree = (answer == result['labels'][:, None]).mean()
    corner = view(pixels(result)[0], result['windows'][0])
    print(f'{name}: {dense.shape[1]} views of each image; labels of {entropy.mean():.3f} bits, {agree:.1%} as the image')
    print(f'  first view of the first image: mean {corner.mean():.2f}')

# %% Trajectories of experts: how far each went from where it started
for name, result in results.items():
    for k in range(sum(member.startswith('parameters_') for member in result)):
        parameters = result[f'parameters_{k}']  # [snapshot, parameter]
        way = np.linalg.norm(parameters - parameters[0], axis=1)
        print(f"{name}: expert {k}, {bytes(result['architecture']).decode()}, is {way[-1]:.3f} from its start after "
              f"{(len(way) - 1) * result['epochs_apart'][0]} epochs")
