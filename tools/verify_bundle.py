"""Checks the copy of a run that `swarm-ray export` wrote, offline and without swarm_ray.

`python verify_bundle.py review.bundle [--root-key HEX] [--jobs N]` needs Python 3.10 and
`cryptography`. Exit code: 0 unchanged, 1 refused, 2 cannot be checked.
"""

import argparse
import base64
import gc
import json
import multiprocessing.pool as pools
import re
import sys
import tarfile
import time
from collections import Counter
from functools import reduce
from hashlib import sha256
from json.encoder import encode_basestring as quoted

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PRIME = 2**255 - 19
LOW_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
LOW_ORDER = {0, 1, LOW_8, PRIME - LOW_8, PRIME - 1}  # y of points under which anybody can sign
SUPERIOR = {"root": "root", "site": "root", "coordinator": "site", "log": "site", "host": "site"}
# Log and kind of each entry, then its fields: texts, `#` integers, `@` commitments of bodies, `:` a type or all words there are; `?` may be missing
TABLE = """
frame entry kind event:object time_us# epoch# acted:pair?; part effect entry path:list seq#;
part row item# attempt# status:ok|transient|rate_limited|input|structural|containment|budget|cancelled|lost output@? label? confidence_ppm#? code? error@? retry_after_us#? tokens#? microusd#? cpu_us#? start_us#? duration_us#? sub_agents#? extras@? alike#? rule#? model?;
run run.opened run tenant process bundle plan inputs@ semantics#? isolation?;
run swarm.opened swarm kind:fan_out|step|converge|on_error step# round# items# manifest@ root slice_tokens#? slice_microusd#? context@? domains#? default@?;
run step.refused step# round# code detail@? kind:fan_out|step|converge|on_error?; run placed swarm answer@ assignments:pairs cost_microusd#? bound_microusd#? probability_ppm#? solver?;
run dispatched swarm batch# host lanes# items:ints attempts:ints nonce? domain?; run attempts.settled swarm batch# host rows:rows sequence#? envelope? keyid? isolation? sandbox?; run sandbox.seen digest description;
run host.lost host reason?; run timer key; run items.stranded swarm items# domains#?; run cancel.asked by swarm? item#?; run decided question choice by outcome@? reason@?; run swarm.converged swarm result@ report@;
run converge.refused swarm code detail@?; run run.resumed by failed:bool?; run effect.settled step# key status:done|refused|failed|unknown outcome@? code?;
run run.closed status:done|failed|cancelled|deadline|budget output@? code?; admin key.enrolled role name public_key keyid site? organisation? isolation? slots#? serial#? not_before_us#? not_after_us#? issuer? signature?;
admin key.rotated keyid successor since_us# issuer signature?; admin key.revoked keyid reason since_us# issuer signature?; admin host.left name reason; admin anchor.kept anchor size# root reference time_us#;
admin anchor.failed anchor size# code; effects effect.proposed key run step tool arguments@; effects effect.granted key lease#; effects effect.refused key code; effects effect.started key lease#;
effects effect.ended key status:done|failed|unknown outcome@? code?; index log.checkpoint epoch# kind log_id log_kind root size# state time_us#; index log.heartbeat epoch# every_us# kind state time_us#"""
NO_ROOT = "its key had been withdrawn, or was vouched for by no root that you trust at that time"
TALLY, OF_ROWS = {"batches", "rows", "unsigned", "unknown_inputs"}, ("output", "error", "extras")
FRAME = rb'{(?:"acted":[^]]*],)?"epoch":([0-9]+),"event":.*"time_us":([0-9]+)}'
SETTLED, KNOWN, SHAPES, PLACE = b'"kind":"attempts.settled"', {}, {}, ["The file or its contents"]
LONG, DIGITS = re.compile(rb"9[0-9]{15}"), bytes.maketrans(b"123456789", b"000000000")
FLAWS = ValueError, LookupError, TypeError, AttributeError, RecursionError, InvalidSignature


class Refused(ValueError):
    def __init__(self, why):  # a sentence, the end of one about PLACE, or another error
        if isinstance(why, InvalidSignature):
            why = "a signature does not fit it, so it is not what was signed"
        elif not isinstance(why, (Refused, str)):
            why = "it is not written as it must be, or names what is missing in this copy"
        super().__init__(why if f"{why}".endswith(".") else f"{PLACE[0]} does not hold: {why}.")


def need(holds, why):
    if not holds:
        raise Refused(why)


sha = lambda data: sha256(data).digest()
node = lambda left, right: sha256(b"\x01" + left + right).digest()
leaf_hash = lambda data: sha256(b"\x00" + data).digest()
bodies_of = lambda kind, event: {event[x]: x for x in event if SHAPES[kind][x][3] and event[x]}
integer = lambda text: int(text) if abs(int(text[:18])) < 2**53 else need(0, f"it holds {text[:9]}")
encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def roots(leaves, sizes):  # RFC 6962, over the first so many leaf hashes
    levels, found = [leaves], []
    while len(below := levels[-1]) > 1:
        pairs = zip(below[::2], below[1::2])
        levels.append([sha256(b"\x01" + one + two).digest() for one, two in pairs])
    for size in sizes:
        full = [bit for bit in range(size.bit_length()) if size >> bit & 1]
        peaks = [levels[bit][(size >> bit) - 1] for bit in full] or [sha(b"")]
        found.append(reduce(lambda right, left: node(left, right), peaks))
    return found


def root_by(leaf, index, size, path):
    if size == 1 and not path:
        return leaf
    half, (*rest, last) = 1 << (size - 1).bit_length() - 1, path  # fails for another length
    if index < half:
        return node(root_by(leaf, index, half, rest), last)
    return node(last, root_by(leaf, index - half, size - half, rest))


def unhex(text, size):
    need(re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text), "bytes in it are not in their one form")
    return bytes.fromhex(text)


def parse(data):  # canonical JSON; the slow way only if there are digits for 2^53 or more
    long = b"0" * 17 in data.translate(DIGITS) or LONG.search(data)
    more = {"parse_int": integer} if long else {}
    value = json.loads(data.decode(), parse_float=integer, parse_constant=integer, **more)
    need(encode(value).encode() == data, "it is not written in the one form that is allowed")
    return value


is_pair = lambda one: type(one) is list and [*map(type, one)] == [int, str]
TYPES = {"": (str, None), "@": (str, None), "#": (int, None), "bool": (bool, None)}
TYPES |= {"object": (dict, None), "list": (list, None), "pair": (list, is_pair)}
TYPES["pairs"] = list, lambda many: all(map(is_pair, many))
TYPES["ints"] = list, lambda many: {*map(type, many)} <= {int}
TYPES["rows"] = list, lambda many: [shaped("part row", one) for one in many] == many
for log, kind, *words in map(str.split, TABLE.split(";")):
    fields = SHAPES[f"{log} {kind}"] = {}
    for name, sign, what, optional in re.findall(r"(\w+)([#@]?):?([\w|]*)(\??)", " ".join(words)):
        one_of = str, frozenset(what.split("|")).__contains__
        fields[name] = (*TYPES.get(sign or what, one_of), optional, sign == "@")
CERTIFICATE = {name: one[0]() for name, one in SHAPES["admin key.enrolled"].items() if one[2]}


def shaped(kind, value):
    seen = (kind, *value, *map(type, value.values()))
    if seen not in KNOWN:  # what has the names and types of something before it is looked at less
        fields, found = SHAPES[kind], {name: type(one) for name, one in value.items()}
        due = {name: one[0] for name, one in fields.items() if name in value or not one[2]}
        wrong = sorted(name for name in due | found if due.get(name) is not found.get(name))
        need(not wrong, f"its field {''.join(wrong[:1])!r} is missing, unknown or of another type")
        KNOWN[seen] = [(name, fields[name][1]) for name in value if fields[name][1]]
    for name, look in KNOWN[seen]:
        if not look(value[name]):  # asked here, since it is asked of every row
            raise Refused("a word or a list in it is none that may stand there")
    return value


class Key:
    def __init__(self, text):
        self.raw = unhex(text, 32)
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        square = (y * y - 1) * (121666 - 121665 * y * y) * 121666  # times x^2, RFC 8032 section 5.1
        proper = y < PRIME and y not in LOW_ORDER and pow(square, PRIME // 2, PRIME) == 1
        need(proper, "a public key is none, or one under which anybody can sign")
        self.keyid = sha(self.raw).hex()
        self.verify = Ed25519PublicKey.from_public_bytes(self.raw).verify

    def check(self, text, kind, value):
        kind, payload = f"application/vnd.swarm-ray.{kind}.v1+json", encode(value).encode()
        head = f"DSSEv1 {len(kind)} {kind} {len(payload)} "
        self.verify(unhex(text, 64), head.encode() + payload)


def read_container(data):
    files, at, before = {}, 0, ""
    while name := bytes(data[at : at + 100]).rstrip(b"\x00").decode("ascii", "replace"):
        block, info = bytes(data[at : at + 512]), tarfile.TarInfo(name)
        info.size = int(block[124:135], 8) if re.fullmatch(b"[0-7]{11}", block[124:135]) else 0
        start, end = at + 512, at + 512 + info.size
        at = end + -info.size % 512
        fits = block == info.tobuf(tarfile.USTAR_FORMAT) and data[end:at] == bytes(at - end)
        why = f"This file is damaged or was changed near its part {name[:80]!r}."
        need(fits and name > before and name.isascii(), why)
        files[name], before = bytes(data[start:end]), name
    need(bytes(data[at:]) == bytes(1024), "This file was cut off, or added to at its end.")
    return files


def tiles(log, level, count):  # C2SP tlog-tiles: names of files and the range in each
    for number in range((count + 255) // 256):
        first, last = number * 256, min(count, number * 256 + 256)
        thousands = f"x{number // 1000:03d}/" if number >= 1000 else ""  # up to 256 million entries
        narrow = "" if last - first == 256 else f".p/{last - first}"
        yield f"{log}/tile/{level}/{thousands}{number % 1000:03d}{narrow}", first, last


def read_log(files, log, size):
    entries, level = [], 0
    for name, first, last in tiles(log, "entries", size):
        data, at = files.pop(name), 0
        for _ in range(first, last):
            start, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
            entries.append(data[start:at])
        need(at == len(data), f"The entries of the {log} log are cut off or joined.")
    leaves = hashes = [leaf_hash(entry) for entry in entries]
    while hashes:
        for name, first, last in tiles(log, level, len(hashes)):
            tile, hashed = files.pop(name), b"".join(hashes[first:last])
            for at in range(first, last) if tile != hashed and not level else ():
                same = tile[(at - first) * 32 :][:32] == hashes[at]
                need(same, f"Entry {at} of the {log} log was altered after it was written.")
            need(tile == hashed, f"The list of hashes of the {log} log was changed.")
        full = range(0, len(hashes) - 255, 256)
        hashes, level = [roots(hashes[at : at + 256], [256])[0] for at in full], level + 1
    return entries, leaves


def read_entry(log, seq, data):
    PLACE[:] = [f"Entry {seq} of the {log} log"]
    record = shaped("frame entry", parse(data))
    need(log == "run" or "acted" not in record, "only entries of runs say what was acted upon")
    event = shaped(f"{log} {record['kind']}", record["event"])
    return record["kind"], event, record["time_us"], record["epoch"]


class Roster:
    def __init__(self, entries):
        self.enrolled, self.keys, self.words, self.above = {}, {}, [], {}
        for seq, data in enumerate(entries):
            kind, event, time_us, _ = read_entry("admin", seq, data)
            if not kind.startswith("key."):
                continue
            keyid, issuer = event["keyid"], event.get("issuer", "")
            if kind == "key.enrolled":
                event, key = CERTIFICATE | event, Key(event["public_key"])
                need(key.keyid == keyid and event["role"] in SUPERIOR, "it misnames its key")
                self.keys[keyid] = key
                self.enrolled.setdefault(keyid, []).append(event)
                above = self.above.get(issuer, ()) if issuer != keyid else ()
                need(len(above) <= 64, "more than 64 roots replaced each other")
                self.above.setdefault(keyid, above + (keyid,) * (event["role"] == "root"))
            if issuer or kind != "key.enrolled":
                signed = {name: value for name, value in event.items() if name != "signature"}
                what = "certificate" if kind == "key.enrolled" else "key-ending"
                self.keys[issuer].check(event.get("signature", ""), what, signed)
            self.words.append((time_us, event | {"keyid": self.keys[keyid].keyid}))
        self.signs = {one.get("name") for _, one in self.words if one.get("role") == "host"}

    def believe(self, trusted):
        self.ended = {}
        for _ in range(2):  # all words in order, then again with all endings that counted known
            self.found = {}
            for time_us, one in self.words:
                keyid, issuer = one["keyid"], one["issuer"]
                if "since_us" in one:
                    roles = {"root"} | {SUPERIOR[old["role"]] for old in self.enrolled[keyid]}
                    if issuer == keyid or any(self.signer(issuer, x, time_us)[1] for x in roles):
                        since = one["since_us"] or ("successor" in one) * (time_us + 1)
                        self.ended[keyid] = min(self.ended.get(keyid, 2**63), since)
                    continue
                root = issuer != keyid and self.signer(issuer, SUPERIOR[one["role"]], time_us)[1]
                itself = one["role"] == "root" and issuer and keyid in trusted
                self.found.setdefault(keyid, []).append((one, one if itself else root))

    def signer(self, keyid, role, time_us):
        found = [pair for pair in self.found.get(keyid, ()) if pair[0]["role"] == role]
        for one, root in reversed(found):
            good = one["not_before_us"] <= time_us <= one["not_after_us"]
            if root and good and time_us < self.ended.get(keyid, 2**63):
                return one, root
        return None, None


def read_index(entries):
    stands, last_us, epoch, every_us, silences = {}, 0, 0, 0, 0
    for seq, data in enumerate(entries):
        PLACE[:] = [f"Entry {seq} of the index log"]
        record = parse(data)
        shaped(f"index {record['kind']}", record)
        need(record["epoch"] >= epoch and record["time_us"] >= 0, "its writer had been replaced")
        silences += bool(every_us) and record["time_us"] - last_us > 2 * every_us
        last_us, epoch = max(last_us, record["time_us"]), record["epoch"]
        if record["kind"] == "log.heartbeat":
            every_us = 0 if record["state"] == "stopping" else record["every_us"]
            continue
        stand = stands.setdefault(record["log_id"], [])
        stand.append((record["size"], unhex(record["root"], 32)))
        need(stand[-1][0] >= (stand[-2:-1] or [(0,)])[0][0], "it lets a log shrink")
    return stands, last_us, silences


def check_stand(log, leaves, stands):
    sizes, at = [size for size, _ in stands], 0
    need(sizes[-1:] == [len(leaves)], f"Of the {log} log other entries were sealed than are here.")
    for (size, root), found in zip(stands, roots(leaves, sizes)):
        need(found == root, f"Entries {at} to {size - 1} of the {log} log are not those sealed.")
        at = size


def check_seal(seal, leaves, roster, time_us, trusted):
    PLACE[:] = ["The seal of the index"]
    text, _, last = seal.decode().partition("\n\n— ")
    origin, line = re.fullmatch(r"(\S+) ([A-Za-z0-9+/]{91}=)\n", last).groups()
    raw, root = base64.b64decode(line), base64.b64encode(roots(leaves, [len(leaves)])[0]).decode()
    need(base64.b64encode(raw).decode() == line, "it is not written as a seal is")
    need(text == f"{origin}\n{len(leaves)}\n{root}", "it seals other entries than those here")
    for keyid, key in roster.keys.items():
        named = origin in [one["name"] for one in roster.enrolled[keyid] if one["role"] == "log"]
        if named and sha(f"{origin}\n\x01".encode() + key.raw)[:4] == raw[:4]:
            key.verify(raw[4:], f"{text}\n".encode())
            above = roster.above[keyid]
            itself = above and above[0] in {one["issuer"] for one in roster.enrolled[above[0]]}
            for choice in [trusted] if trusted is not None else [{one} for one in above if itself]:
                roster.believe(choice)
                root = roster.signer(keyid, "log", time_us)[1]
                if root:
                    return root
            raise Refused(NO_ROOT)
    raise Refused("it was made with a key that stands nowhere in this copy")


class Run:
    def __init__(self, items, entries, roster):
        self.entries, self.roster, self.opened, self.items = entries, roster, {}, {}
        self.swarms, self.sent, self.effects, self.named = {}, {}, [], {}
        self.settled, self.status, self.seen, before = [], "open", {"": -1}, (0, 0)
        for seq, data in enumerate(entries):
            PLACE[:] = [f"Entry {seq} of the run log"]
            epoch, time_us = map(int, re.fullmatch(FRAME, data, re.DOTALL).groups())
            need(epoch >= before[0] and time_us >= before[1], "it is older than the one before it")
            resumed, before = b'"kind":"run.resumed"' in data, (epoch, time_us)
            need(self.status == "open" or resumed, "the run had ended before it")
            if SETTLED in data:
                self.settled.append(seq)
                continue
            kind, event, _, epoch = read_entry("run", seq, data)
            need((kind == "run.opened") == (seq == 0), "a run is opened by its first entry alone")
            self.status = event["status"] if kind == "run.closed" else "open"
            self.named = bodies_of(f"run {kind}", event) | self.named
            if not seq:
                fits = event.get("semantics", 1) == 1 and re.fullmatch("[0-9a-f]{32}", event["run"])
                need(fits, "it is no run that one can read here")
                self.opened = event
            elif kind == "swarm.opened":
                need(event["swarm"] not in self.swarms, "it opens a swarm a second time")
                self.swarms[event["swarm"]] = event
            elif kind == "dispatched":
                order, sent = f"{event['swarm']}/{event['batch']}", event["items"]
                size = self.swarms[event["swarm"]]["items"]
                fits = len(sent) == len(event["attempts"]) and all(0 <= one < size for one in sent)
                need(fits and order not in self.sent, "it sends what it cannot, or sends it again")
                self.sent[order] = seq, epoch, event
            elif kind == "effect.settled":
                self.effects.append(event)
            elif kind == "sandbox.seen":
                same = sha(event["description"].encode()).hex() == event["digest"]
                need(same, "it describes another sandbox than the one that it names")
                self.seen.setdefault(event["digest"], seq)
        for swarm, data in items.items():
            PLACE[:] = [f"The list of the items of {swarm!r}"]
            leaves = [leaf_hash(data[at : at + 32]) for at in range(0, len(data), 32)]
            same = roots(leaves, [len(leaves)])[0].hex() == self.swarms[swarm]["root"]
            need(same and len(data) == 32 * self.swarms[swarm]["items"], "the log names others")
            self.items[swarm] = data.hex()

    def check_batch(self, seq, event, time_us):
        host, rows, order = event["host"], event["rows"], f"{event['swarm']}/{event['batch']}"
        sent_seq, epoch, sent = self.sent.get(order, (seq, 0, {}))
        fits = sent_seq < seq and sent["host"] == host
        need(fits, f"it holds results of {host} that nobody ordered there")
        ordered = dict(zip(sent["items"], sent["attempts"]))
        fits = [row["attempt"] for row in rows] == [ordered.pop(row["item"], 0) for row in rows]
        need(fits, f"it holds results of {host} that it was not asked for, or one of them twice")
        seen = [self.seen.get(x, seq) < seq for x in event.get("sandbox", "").split(" ")]
        need(all(seen), "it names a sandbox that no entry before it describes")
        if not event.get("envelope"):
            need(host not in self.roster.signs, f"{host} signs its results, these are not signed")
            return {"unsigned": len(rows)}
        by, root = self.roster.signer(event.get("keyid", ""), "host", time_us)
        need(root and by["name"] == host, f"{host} did not sign it, or {NO_ROOT}")
        if event["swarm"] not in self.items:
            return {"unknown_inputs": len(rows)}
        leaves = [sha256(b"\x00" + one).digest() for one in self.statements(event, sent, by)]
        root, sequence = roots(leaves, [len(leaves)])[0].hex(), event.get("sequence", 0)
        header = {key: event[key] for key in ("batch", "host", "swarm")} | {"root": root}
        header |= {key: self.opened[key] for key in ("bundle", "run")} | {"sequence": sequence}
        header |= {"count": len(rows), "epoch": epoch, "expires_us": 0, "kind": "results"}
        self.roster.keys[event["keyid"]].check(event["envelope"], "batch", header)
        return {"batches": 1, "rows": len(rows), f"{order}/{sequence}": 1}

    def statements(self, event, sent, by):
        swarm, run, bundle = event["swarm"], self.opened["run"], self.opened["bundle"]
        context, items = self.swarms[swarm].get("context", ""), self.items[swarm]
        seed, mark = sent.get("nonce", "").encode(), '{"digest":{"swarmRayCommitment":"'
        host, site, organisation = (quoted(by[one]) for one in ("name", "site", "organisation"))
        isolation, sandbox = quoted(event.get("isolation", "")), event.get("sandbox", "")
        sandbox = f'"sandbox":{quoted(sandbox)},' if sandbox else ""
        for row in event["rows"]:
            item, attempt, get = row["item"], row["attempt"], row.get
            nonce = sha256(b"%b/%d/%d" % (seed, item, attempt)).hexdigest()[:32]
            name, start = "output" if row["status"] == "ok" else "error", get("start_us", 0)
            said = get("output") or get("error") or "0" * 64
            more = f',{mark}{row["extras"]}"}},"name":"artifact-0"}}' if get("extras") else ""
            yield (
                f'{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"attempt":{attempt},"bundle":"{bundle}",'
                f'"code":{quoted(get("code", ""))},"confidencePpm":{get("confidence_ppm", 0)},"context":"{context}",'
                f'"endedUs":{start + get("duration_us", 0)},"host":{host},"input":"{items[64 * item : 64 * item + 64]}",'
                f'"isolation":{isolation},"item":{item},"label":{quoted(get("label", ""))},"model":'
                f'{quoted(get("model", ""))},"nonce":"{nonce}","organisation":{organisation},"run":"{run}",{sandbox}'
                f'"site":{site},"startedUs":{start},"status":"{row["status"]}","swarm":"{swarm}","usage":'
                f'{{"costMicrousd":{get("microusd", 0)},"cpuUs":{get("cpu_us", 0)},"tokens":{get("tokens", 0)}}}}},'
                f'"predicateType":"https://swarm-ray.dev/attestation/execution/v1","subject":'
                f'[{mark}{said}"}},"name":"{name}"}}{more}]}}'
            ).encode()


def all_results(run, jobs):
    global WORK  # inherited by forked processes
    WORK, counts, named = run, Counter(), dict(run.named)
    many = jobs > 1 and len(run.settled) > 128 and sys.platform != "win32"
    with pools.get_context("fork").Pool(jobs) if many else pools.ThreadPool(1) as pool:
        results = pool.map(one_result, run.settled, 64)
    for why, some, names in results:
        need(not why, why)  # of several that are bad the first
        counts.update(some)
        named.update(names)
    need(counts["batches"] == len({*counts} - TALLY), "A delivery of a host stands here twice.")
    return counts, named


def one_result(seq):
    try:
        _, event, time_us, _ = read_entry("run", seq, WORK.entries[seq])
        names = {row[key]: key for row in event["rows"] for key in OF_ROWS if row.get(key)}
        return "", WORK.check_batch(seq, event, time_us), names
    except FLAWS as error:
        return str(Refused(error)), {}, {}


def check_effects(rows, run, stand, named):
    fates, before, (size, root) = {}, -1, stand
    need(type(rows) is list, "the effects are no list")
    for row in rows:
        seq, entry, path = shaped("part effect", row)["seq"], row["entry"].encode(), row["path"]
        kind, event, _, _ = read_entry("effects", seq, entry)
        need(before < seq < size, "it is out of order, or stands behind the end of its log")
        found = root_by(leaf_hash(entry), seq, size, [unhex(one, 32) for one in path])
        need(found == root, "it was altered after it was sealed")
        key, before, intent = event["key"], seq, kind == "effect.proposed"
        need(event["run"] == run.opened["run"] if intent else key in fates, "it is of another run")
        known = {"effect.refused": "refused", "effect.ended": event.get("status")}
        fates[key] = known.get(kind, fates.get(key, "unknown"))
        named = bodies_of(f"effects {kind}", event) | named
    for told in run.effects:
        same = fates.get(told["key"], "failed") == told["status"]
        need(same, f"Run and effects log contradict each other: {told['key'][:16]}.")
    return fates, named


def check(data, trusted, jobs=1):
    try:
        files = read_container(data)
        contents = files.pop("manifest.json")
        about, effects = parse(contents), parse(files.pop("effects.json"))
        logs = {log: read_log(files, log, about["sizes"][log]) for log in ("admin", "index", "run")}
        stands, sealed_us, silences = read_index(logs["index"][0])
        check_stand("admin", logs["admin"][1], stands.get("admin", ()))
        roster, seal = Roster(logs["admin"][0]), files.pop("index/checkpoint")
        root = check_seal(seal, logs["index"][1], roster, sealed_us, trusted)
        check_stand("run", logs["run"][1], stands.get(about["run"], ()))
        items = {name[6:]: files.pop(name) for name in [*files] if name.startswith("items/")}
        run = Run(items, logs["run"][0], roster)
        counts, named = all_results(run, jobs)
        fates, named = check_effects(effects, run, stands.get("effects", [(0, b"")])[-1], named)
        here = {name[7:]: files.pop(name) for name in [*files] if name.startswith("bodies/")}
        for name, body in here.items():
            same = name in named and sha(body).hex() == name
            need(same, f"The body {name[:16]} was altered, or does not belong here.")
        sizes = {name: len(log[0]) for name, log in logs.items()} | {"effects": len(effects)}
        about = {"format": "swarm-ray-bundle/1", "run": run.opened["run"], "sizes": sizes}
        fits = encode(about).encode() == contents and not files
        need(fits, f"The table of contents does not fit: {[*files] or 'it says other things'}.")
        gone = Counter(field for commitment, field in named.items() if commitment not in here)
        facts = {"run": about["run"], "process": run.opened["process"], "status": run.status}
        facts |= {"entries": sizes["run"], "sealed_us": sealed_us, "root_key": root["public_key"]}
        facts |= {"trusted": trusted is not None} | {name: counts[name] for name in TALLY}
        facts |= {"effects": dict(sorted(Counter(fates.values()).items())), "bodies": len(here)}
        return facts | {"gone": dict(sorted(gone.items())), "silences": silences}
    except FLAWS as error:
        raise Refused(error) from None


def told(facts):
    sealed = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(facts["sealed_us"] // 10**6))
    yield f"UNCHANGED. This is the record of run {facts['run']} as it was sealed on {sealed}."
    yield f"{facts['process']!a}, {facts['status']}: {facts['entries']} entries, {facts['rows']} results in {facts['batches']} batches, each signed by the host that computed it."
    yield f"All signatures lead to the root key {facts['root_key']}, which"
    yield "you gave." if facts["trusted"] else "is in the copy itself: compare it with its owner's."
    yield from (f"Effects outside that are {fate}: {n}." for fate, n in facts["effects"].items())
    lost = facts["unsigned"] + facts["unknown_inputs"]
    yield f"Results of which it is not shown who computed them, unsigned or without inputs: {lost}."
    yield from (f"Not in this copy any more: {n} x {field}." for field, n in facts["gone"].items())
    yield f"Times without a sign of life that was due: {facts['silences']}."
    yield "Unchanged does not mean true: signatures show who said something, not that it is so."


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Checks the copy of a run, offline.")
    parser.add_argument("file", type=argparse.FileType("rb"), help="what `swarm-ray export` wrote")
    parser.add_argument("--root-key", action="append", type=Key, metavar="HEX", help="a root")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes to use")
    chosen = parser.parse_args(arguments)
    gc.disable()  # many small values and no cycles: looking for these costs a fiftieth of the time
    try:
        roots_given = chosen.root_key and {key.keyid for key in chosen.root_key}
        facts = check(chosen.file.read(), roots_given, chosen.jobs)
    except Refused as refused:
        why = ascii(str(refused))[1:-1]
        return print(f"REFUSED. {why}\nDo not rely on this copy; ask for another.") or 1
    return print("\n".join(told(facts))) or 0


if __name__ == "__main__":
    sys.exit(main())
