"""An application of quixstreams that counts the records of each key, kept as state with a changelog in the cluster.

`python quixstreams_app.py '{"bootstrap": ..., "name": ..., "source": ..., "sink": ..., "directory": ...}'`; SIGTERM ends
it in good order.
"""

import json
import sys

from quixstreams import Application


def count(value, state):
    counted = state.get("count", 0) + 1
    state.set("count", counted)
    return {"number": value["number"], "count": counted}


def main():
    options = json.loads(sys.argv[1])
    app = Application(
        broker_address=options["bootstrap"], consumer_group=options["name"], auto_offset_reset="earliest",
        state_dir=options["directory"], commit_interval=0.5, consumer_poll_timeout=0.1,
        consumer_extra_config={
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "topic.metadata.refresh.interval.ms": 1000})
    source = app.topic(options["source"], value_deserializer="json", key_deserializer="str")
    sink = app.topic(options["sink"], value_serializer="json", key_serializer="str")
    app.dataframe(source).apply(count, stateful=True).to_topic(sink)
    app.run()


main()
