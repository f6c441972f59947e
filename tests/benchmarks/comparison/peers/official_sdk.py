# mypy: ignore-errors
"""C1's own Python SDK, asynchronous, with the retries it offers; runs in an environment of its own.

python official_sdk.py URLS CONCURRENCY TOKEN
"""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from conductorone_sdk import SDK
from conductorone_sdk.models import operations, shared
from conductorone_sdk.utils import BackoffStrategy, RetryConfig

RETRIES = RetryConfig("backoff", BackoffStrategy(500, 60_000, 1.5, 3_600_000), True)


async def main(urls: list[str], concurrency: int, token: str) -> None:
    queue = asyncio.Queue[str]()
    for url in urls:
        queue.put_nowait(url)

    async def worker() -> None:
        while not queue.empty():
            _, _, _, _, app, _, connector, _ = urlsplit(queue.get_nowait()).path.split("/")
            request = operations.C1APIAppV1ConnectorServicePauseSyncRequest(app_id=app, connector_id=connector)
            await sdk.connector.pause_sync_async(request=request)

    parts = urlsplit(urls[0])
    security = shared.Security(bearer_auth=token, oauth=token)
    async with SDK(security, server_url=f"{parts.scheme}://{parts.netloc}", retry_config=RETRIES) as sdk:
        await asyncio.gather(*(worker() for _ in range(concurrency)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text().split(), int(sys.argv[2]), sys.argv[3]))
