"""What one writes in ten minutes: workers on a queue, and after a 429 a wait as long as Retry-After says.

python bare_aiohttp.py URLS CONCURRENCY TOKEN
"""

import asyncio
import sys
from pathlib import Path

import aiohttp


async def main(urls: list[str], concurrency: int, token: str) -> None:
    queue = asyncio.Queue[str]()
    for url in urls:
        queue.put_nowait(url)

    async def worker() -> None:
        while not queue.empty():
            await pause(queue.get_nowait())

    async def pause(url: str) -> None:
        while True:
            async with session.post(url, json={}) as response:
                await response.read()
                if response.status != 429:
                    response.raise_for_status()
                    return
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        await asyncio.gather(*(worker() for _ in range(concurrency)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text().split(), int(sys.argv[2]), sys.argv[3]))
