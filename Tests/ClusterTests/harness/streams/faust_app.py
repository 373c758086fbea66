"""An application of faust-streaming that counts the records of each key in a table with a changelog in the cluster.

`python faust_app.py '{"bootstrap": ..., "name": ..., "source": ..., "sink": ..., "partitions": ..., "directory": ...}'`;
SIGTERM ends it in good order.
"""

import json
import sys

import faust


def main():
    options = json.loads(sys.argv[1])
    brokers = ";".join(f"aiokafka://{address}" for address in options["bootstrap"].split(","))
    app = faust.App(
        options["name"], broker=brokers, store="memory://", datadir=options["directory"], web_enabled=False,
        topic_partitions=options["partitions"], topic_replication_factor=1, consumer_auto_offset_reset="earliest",
        broker_session_timeout=6.0, broker_heartbeat_interval=0.5, broker_commit_interval=0.5,
        broker_max_poll_interval=30.0, broker_request_timeout=10.0, topic_allow_declare=True)
    source = app.topic(options["source"], key_type=str, value_type=bytes, value_serializer="raw")
    sink = app.topic(options["sink"], key_type=str, value_serializer="json")
    counts = app.Table("counts", default=int, partitions=options["partitions"])

    @app.agent(source)
    async def count(stream):
        async for key, value in stream.items():
            counts[key] += 1
            await sink.send(key=key, value={"number": json.loads(value)["number"], "count": counts[key]})

    faust.Worker(app, loglevel="info", redirect_stdouts=False).execute_from_commandline()


main()
