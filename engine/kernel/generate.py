#!/usr/bin/env python3
"""Writes the straight-line rounds of the vector kernels: sha1_rounds.h, sha256_rounds.h, sha512_rounds.h beside itself.

    generate.py            writes the files
    generate.py --check    exits 1 when a file is not what would be written

Source: FIPS 180-4 sections 6.1, 6.2 and 6.4. Straight-line code, because then the constant words of the two one-block
messages of an HMAC over a counter (padding and length; and all that the message schedule makes of constants alone) can
be folded here, by arithmetic on numbers, which a compiler does not do through vector intrinsics. A statement's place in
the file is its place in the program as nearly as the compiler flags allow: two compressions are interleaved by writing
their rounds in turn.
"""
import math
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def primes(count):
    found = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def cube_root(number):
    """The integer part, by bisection: the constants of SHA-2 are fractions of cube roots, taken from larger numbers."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle)
    return low


class Stream:
    """One compression: a list of rounds, each a list of C statements, and the sums that end it.

    A message word is a number where it is the same for all tokens, else the name of a C variable."""

    def __init__(self, prefix, message, bits):
        self.prefix = prefix
        self.words = list(message)
        self.bits = bits
        self.mask = (1 << bits) - 1
        self.rounds = []
        self.sums = []

    def name(self, letter, index):
        return f"{self.prefix[0]}{letter}{index}"

    def constant(self, value):
        return f"constant{self.bits}(0x{value & self.mask:0{self.bits // 4}x})"

    def value(self, word):
        return word if isinstance(word, str) else self.constant(word)

    def set(self, name, expression):
        self.rounds[-1].append(f"const vector {name} = {expression};")
        return name

    def add(self, *terms):
        """The constants among the terms become one; the sum is made from the left."""
        constant = sum(term for term in terms if not isinstance(term, str)) & self.mask
        values = [term for term in terms if isinstance(term, str)]
        if constant or not values:
            values.append(self.constant(constant))
        total = values[0]
        for value in values[1:]:
            total = f"add{self.bits}({total}, {value})"
        return total

    def exclusive_or(self, *terms):
        constant = 0
        for term in terms:
            constant ^= 0 if isinstance(term, str) else term
        values = [term for term in terms if isinstance(term, str)]
        if constant:
            values.append(self.constant(constant))
        while len(values) > 2:
            values = values[3:] + [f"xor3({', '.join(values[:3])})"]
        return f"xor2({', '.join(values)})" if len(values) == 2 else values[0]


class Sha1(Stream):
    ROUNDS = 80

    def __init__(self, prefix, message):
        super().__init__(prefix, message, 32)
        # By the round that would have made it: a is of round -1, b of -2; c, d and e are already rotated.
        self.state = {-1 - i: f"{prefix}_state[{i}]" for i in range(5)}
        for i in range(self.ROUNDS):
            self.rounds.append([])
            self.round(i)
        last = self.ROUNDS - 1
        ends = [self.plain(last), self.plain(last - 1), self.rotated(last - 2), self.rotated(last - 3),
                self.rotated(last - 4)]
        self.sums = [f"{prefix}_ret[{i}] = add32({end}, {prefix}_state[{i}]);" for i, end in enumerate(ends)]

    def plain(self, i):
        return self.state[i] if i < 0 else self.name("a", i)

    def rotated(self, i):
        """The value of round i as later rounds use it; the last three of the initial state are given so."""
        return self.state[i] if i < -2 else self.name("c", i if i >= 0 else f"m{-i}")

    def schedule(self, i):
        if i < 16:
            return
        terms = [self.words[i - back] for back in (3, 8, 14, 16)]
        if any(isinstance(term, str) for term in terms):
            name = self.set(self.name("w", i), f"rotl32({self.exclusive_or(*terms)}, 1)")
            self.words.append(name)
        else:
            value = terms[0] ^ terms[1] ^ terms[2] ^ terms[3]
            self.words.append((value << 1 | value >> 31) & self.mask)

    def round(self, i):
        self.schedule(i)
        function, constant = [("choose", 0x5A827999), ("xor3", 0x6ED9EBA1), ("majority", 0x8F1BBCDC),
                              ("xor3", 0xCA62C1D6)][i // 20]
        early = self.set(self.name("k", i), self.add(self.rotated(i - 5), self.add(self.words[i], constant)
                                                     if isinstance(self.words[i], str) else self.words[i] + constant))
        mixed = self.set(self.name("f", i),
                         f"{function}({self.plain(i - 2)}, {self.rotated(i - 3)}, {self.rotated(i - 4)})")
        sum_ = self.set(self.name("s", i), f"add32({early}, {mixed})")
        # b of this round is c of the next.
        self.set(self.rotated(i - 2), f"rotl32({self.plain(i - 2)}, 30)")
        self.set(self.name("a", i), f"add32(rotl32({self.plain(i - 1)}, 5), {sum_})")


class Sha2(Stream):
    def __init__(self, prefix, message, bits, rounds, constants, sums, sigmas):
        super().__init__(prefix, message, bits)
        self.constants = constants
        self.sums_by, self.sigmas_by = sums, sigmas
        self.state = [f"{prefix}_state[{i}]" for i in range(8)]
        for i in range(rounds):
            self.rounds.append([])
            self.round(i)
        self.sums = [f"{prefix}_ret[{i}] = add{bits}({self.state[i]}, {prefix}_state[{i}]);" for i in range(8)]

    def rotate(self, value, by):
        return (value >> by | value << (self.bits - by)) & self.mask

    def sigma(self, which, word):
        first, second, shift = self.sigmas_by[which]
        if not isinstance(word, str):
            return self.rotate(word, first) ^ self.rotate(word, second) ^ word >> shift
        return f"xor3(rotr{self.bits}({word}, {first}), rotr{self.bits}({word}, {second}), shr{self.bits}({word}, {shift}))"

    def sum(self, which, value):
        return f"xor3({', '.join(f'rotr{self.bits}({value}, {by})' for by in self.sums_by[which])})"

    def schedule(self, i):
        if i < 16:
            return
        terms = [self.words[i - 16], self.words[i - 7], self.sigma(0, self.words[i - 15]),
                 self.sigma(1, self.words[i - 2])]
        if any(isinstance(term, str) for term in terms):
            self.words.append(self.set(self.name("w", i), self.add(*terms)))
        else:
            self.words.append(sum(terms) & self.mask)

    def round(self, i):
        self.schedule(i)
        a, b, c, d, e, f, g, h = self.state
        word, constant = self.words[i], self.constants[i]
        known = self.add(word, constant) if isinstance(word, str) else word + constant
        early = self.set(self.name("k", i), self.add(h, known))
        mixed = self.set(self.name("m", i), self.add(early, f"choose({e}, {f}, {g})"))
        first = self.set(self.name("t", i), self.add(mixed, self.sum(1, e)))
        new_e = self.set(self.name("e", i), self.add(d, first))
        second = self.set(self.name("u", i), self.add(f"majority({a}, {b}, {c})", first))
        new_a = self.set(self.name("a", i), self.add(self.sum(0, a), second))
        self.state = [new_a, a, b, c, new_e, e, f, g]


SHA256_CONSTANTS = [cube_root(prime << 96) & 0xFFFFFFFF for prime in primes(64)]
SHA512_CONSTANTS = [cube_root(prime << 192) & 0xFFFFFFFFFFFFFFFF for prime in primes(80)]


def sha256(prefix, message):
    return Sha2(prefix, message, 32, 64, SHA256_CONSTANTS, [(2, 13, 22), (6, 11, 25)], [(7, 18, 3), (17, 19, 10)])


def sha512(prefix, message):
    return Sha2(prefix, message, 64, 80, SHA512_CONSTANTS, [(28, 34, 39), (14, 18, 41)], [(1, 8, 7), (19, 61, 6)])


class Algorithm:
    def __init__(self, name, stream, bits, state_words, digest_words, counter_words):
        self.name, self.stream, self.bits = name, stream, bits
        self.state_words, self.digest_words, self.counter_words = state_words, digest_words, counter_words

    def message(self, prefix, variable_words):
        """A key block came before; then so many words that differ, the bit 1, zeros, and the length in bits."""
        length = (16 + variable_words) * self.bits
        words = [f"{prefix}_message[{i}]" for i in range(variable_words)] + [1 << (self.bits - 1)]
        return words + [0] * (15 - len(words)) + [length]

    def inner(self):
        return self.stream("inner", self.message("inner", self.counter_words))

    def outer(self):
        return self.stream("outer", self.message("outer", self.digest_words))

    def block(self):
        return self.stream("block", [f"block_message[{i}]" for i in range(16)])

    def parameters(self, prefix, words):
        count = self.state_words
        return (f"const vector {prefix}_state[{count}], const vector {prefix}_message[{words}],\n"
                f"    vector {prefix}_ret[{count}]")


def function(comment, name, parameters, streams, spread):
    """Rounds of all streams in turn; `spread`: (first, all), which part of what is done beside a group falls to these rounds."""
    lines = [f"/* {comment} */", f"KERNEL_INLINE void {name}({parameters})", "{"]
    for i in range(len(streams[0].rounds)):
        for stream in streams:
            lines += [f"    {statement}" for statement in stream.rounds[i]]
        if spread:
            lines.append(f"    beside_part{streams[0].bits}(beside, {spread[0] + i}, {spread[1]});")
    for stream in streams:
        lines += [f"    {statement}" for statement in stream.sums]
    return lines + ["}", ""]


def text(algorithm, whole_blocks):
    name = algorithm.name
    rounds = len(algorithm.inner().rounds)
    inner = algorithm.parameters("inner", algorithm.counter_words)
    outer = algorithm.parameters("outer", algorithm.digest_words)
    beside = ",\n    const struct beside *beside"
    guard = f"OTPRING_KERNEL_{name.upper()}_ROUNDS_H"
    lines = ["/* Written by generate.py: change that. Rounds in straight lines with the constant message words folded.",
             " * The including file has defined the vector and its operations before. */",
             "// clang-format off", f"#ifndef {guard}", f"#define {guard}", ""]
    lines += function("The inner hash: from the inner midstate over the counter.", f"{name}_inner", inner + beside,
                      [algorithm.inner()], (0, 2 * rounds))
    lines += function("The outer hash: from the outer midstate over the inner digest.", f"{name}_outer",
                      outer + beside, [algorithm.outer()], (rounds, 2 * rounds))
    lines += function("The outer hash of one group between the rounds of the inner hash of the next.",
                      f"{name}_outer_and_inner", f"{outer},\n    {inner}{beside}",
                      [algorithm.outer(), algorithm.inner()], (0, rounds))
    if whole_blocks:
        lines += function("One block of a message of any content.", f"{name}_block", algorithm.parameters("block", 16),
                          [algorithm.block()], None)
    return "\n".join(lines + ["#endif", ""])


ALGORITHMS = [
    (Algorithm("sha1", Sha1, 32, 5, 5, 2), False),
    (Algorithm("sha256", sha256, 32, 8, 8, 2), True),
    (Algorithm("sha512", sha512, 64, 8, 8, 1), False),
]


def main():
    check = sys.argv[1:] == ["--check"]
    stale = []
    for algorithm, whole_blocks in ALGORITHMS:
        path = os.path.join(FOLDER, f"{algorithm.name}_rounds.h")
        new = text(algorithm, whole_blocks)
        if check:
            if not os.path.exists(path) or open(path).read() != new:
                stale.append(path)
        else:
            with open(path, "w") as file:
                file.write(new)
    for path in stale:
        print(f"{path} is not what generate.py writes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
