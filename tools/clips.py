"""Sample clips: a drawn figure on a mat, encoded with ffmpeg. No footage of real people."""

import math
import random
import subprocess

WIDTH, HEIGHT, FRAMES_PER_S, SECONDS = 480, 270, 15, 4
FLOOR = 215
SKY, GROUND, MAT, BOX = (226, 236, 242), (176, 148, 112), (52, 120, 178), (150, 104, 62)

# What each part of the body is, as (from, to) in body lengths around the hip; y points down.
STRETCHED = (((0, 0), (0, -0.45)), ((0, -0.38), (-0.22, -0.12)), ((0, -0.38), (0.22, -0.12)),
             ((0, 0), (-0.12, 0.5)), ((0, 0), (0.12, 0.5)))
TUCKED = (((0, 0), (0.12, -0.32)), ((0.1, -0.28), (0.28, -0.02)), ((0.1, -0.28), (0.24, 0.06)),
          ((0, 0), (0.26, 0.08)), ((0, 0), (0.22, 0.14)))
STRADDLED = (((0, 0), (0.1, -0.42)), ((0.08, -0.36), (0.3, -0.1)), ((0.08, -0.36), (0.26, -0.06)),
             ((0, 0), (-0.4, 0.3)), ((0, 0), (0.4, 0.3)))


def blend(a, b, share):
    return tuple(tuple((1 - share) * u + share * v for u, v in zip(p, q)) for p, q in zip(a, b))


def pose(move, t):
    """(limbs, turn in radians, hip height, x) of a move at time t in 0..1."""
    along = 70 + 340 * t
    inside = math.sin(math.pi * min(max((t - 0.25) / 0.5, 0), 1))  # 0 outside the move itself
    turn = 2 * math.pi * min(max((t - 0.25) / 0.5, 0), 1)
    if move in ('forward_roll', 'backward_roll'):
        limbs = [blend(a, b, min(1, 1.6 * inside)) for a, b in zip(STRETCHED, TUCKED)]
        way = -1 if move == 'backward_roll' else 1
        return limbs, way * turn, FLOOR - 45 + 24 * min(1, 1.6 * inside), along
    if move == 'cartwheel':
        return [blend(a, b, inside) for a, b in zip(STRETCHED, STRADDLED)], turn, FLOOR - 45, along
    return [blend(a, b, inside) for a, b in zip(STRETCHED, STRADDLED)], 0.5 * inside, FLOOR - 45 - 75 * inside, along


class Frame:
    def __init__(self, background):
        self.pixels = bytearray(background)

    def box(self, left, top, right, bottom, colour):
        left, right = max(0, int(left)), min(WIDTH, int(right))
        row = bytes(colour) * max(0, right - left)
        for y in range(max(0, int(top)), min(HEIGHT, int(bottom))):
            start = (y * WIDTH + left) * 3
            self.pixels[start:start + len(row)] = row

    def line(self, a, b, colour, width=7):
        steps = max(1, int(math.dist(a, b) / 2))
        for i in range(steps + 1):
            x, y = (u + (v - u) * i / steps for u, v in zip(a, b))
            self.box(x - width / 2, y - width / 2, x + width / 2, y + width / 2, colour)

    def disc(self, x, y, radius, colour):
        for dy in range(-radius, radius + 1):
            half = math.sqrt(radius * radius - dy * dy)
            self.box(x - half, y + dy, x + half, y + dy + 1, colour)


def background(move):
    frame = Frame(bytes(SKY) * (WIDTH * HEIGHT))
    frame.box(0, FLOOR, WIDTH, HEIGHT, GROUND)
    frame.box(60, FLOOR, WIDTH - 60, FLOOR + 12, MAT)
    if move == 'vault':
        frame.box(WIDTH / 2 - 35, FLOOR - 60, WIDTH / 2 + 35, FLOOR, BOX)
    return bytes(frame.pixels)


def draw(back, move, t, shirt, wobble):
    frame = Frame(back)
    limbs, turn, height, x = pose(move, t)
    turn, height = turn + wobble * math.sin(9 * t), height + 6 * wobble * math.sin(17 * t)
    size, cos, sin = 90, math.cos(turn), math.sin(turn)

    def place(point):
        return x + size * (point[0] * cos - point[1] * sin), height + size * (point[0] * sin + point[1] * cos)

    for i, (a, b) in enumerate(limbs):
        frame.line(place(a), place(b), shirt if i < 3 else (40, 48, 70), 11 if i == 0 else 7)
    neck = limbs[0][1]
    frame.disc(*map(int, place((neck[0] * 1.3, neck[1] * 1.3))), 11, (236, 196, 160))
    return frame.pixels


def make(path, move, seed=None):
    """An MP4 (H.264, index first) of a move; a model without a seed, a learner's wobbly try with one."""
    luck = random.Random(seed)
    shirt = (206, 62, 62) if seed is None else tuple(luck.randrange(40, 220) for _ in range(3))
    wobble = 0 if seed is None else luck.uniform(0.15, 0.5)
    back, n = background(move), FRAMES_PER_S * SECONDS
    encoder = ['ffmpeg', '-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', f'{WIDTH}x{HEIGHT}',
               '-r', str(FRAMES_PER_S), '-i', '-', '-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p',
               '-profile:v', 'baseline', '-movflags', '+faststart', '-threads', '1', str(path)]
    frames = b''.join(bytes(draw(back, move, i / (n - 1), shirt, wobble)) for i in range(n))
    subprocess.run(encoder, input=frames, check=True)
    return path
