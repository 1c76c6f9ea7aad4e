#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP client that keeps a pace: one new connection a request, each with a deadline, results as one JSON line."""

import argparse
import asyncio
import json
import time


async def request(args, results):
    start = time.monotonic()
    writer = None
    record = {"ok": False, "by": "", "at": start}
    try:
        async with asyncio.timeout(args.timeout):
            reader, writer = await asyncio.open_connection(args.address, args.port)
            writer.write(f"GET {args.path} HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ": " in line)
            size = int(headers.get("Content-Length", 0))
            await reader.readexactly(size)
            record.update(ok=head.startswith(b"HTTP/1.1 200"), by=headers.get("X-Served-By", ""))
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        record["error"] = type(error).__name__
    finally:
        if writer:
            writer.close()
    record["ms"] = (time.monotonic() - start) * 1000
    results.append(record)


async def drive(args):
    results, tasks, start = [], set(), time.monotonic()
    for n in range(int(args.seconds * args.rate)):
        await asyncio.sleep(max(0, start + n / args.rate - time.monotonic()))
        if len(tasks) >= args.in_flight: # an unanswered crowd says nothing more by growing
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(request(args, results))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if time.monotonic() - start > args.seconds:
            break
    if tasks:
        await asyncio.wait(tasks)
    return results, time.monotonic() - start


def summarise(results, seconds):
    good = sorted(r["ms"] for r in results if r["ok"])
    failed_at = [r["at"] for r in results if not r["ok"]]
    by, errors = {}, {}
    for r in results:
        if r["ok"]:
            by[r["by"]] = by.get(r["by"], 0) + 1
        else:
            errors[r.get("error", "status")] = errors.get(r.get("error", "status"), 0) + 1
    return {
        "requests": len(results), "ok": len(good), "failed": len(results) - len(good),
        "success": round(len(good) / len(results), 4) if results else 0.0,
        "seconds": round(seconds, 2), "ok_per_s": round(len(good) / seconds, 1) if seconds else 0.0,
        "p50_ms": round(good[len(good) // 2], 2) if good else None,
        "p99_ms": round(good[int(len(good) * 0.99)], 2) if good else None,
        "failing_for_s": round(max(failed_at) - min(failed_at), 2) if failed_at else 0.0,
        "by": by, "errors": errors,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--path", default="/1k")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=50, help="new connections a second")
    parser.add_argument("--timeout", type=float, default=1, help="of one request, in seconds")
    parser.add_argument("--in-flight", type=int, default=200, help="requests under way at most")
    args = parser.parse_args()
    if not 0 < args.seconds <= 120 or not 0 < args.rate <= 5000:
        parser.error("at most 120 seconds and 5000 requests a second")
    print(json.dumps(summarise(*asyncio.run(drive(args)))))


if __name__ == "__main__":
    main()
