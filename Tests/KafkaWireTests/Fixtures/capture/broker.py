"""A broker just good enough to make clients talk, which keeps one request of each API and version as a hex file."""

import socket
import struct
import threading

API_VERSIONS, UNSUPPORTED = 18, 35
TOPIC_ID = bytes(range(1, 17))


class Broker:
    def __init__(self, schemas, folder):
        self.schemas, self.folder = schemas, folder
        self.client, self.ranges, self.batch, self.kept = "client", {}, b"", 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        stream = peer.makefile("rb")
        try:
            while len(prefix := stream.read(4)) == 4:
                frame = stream.read(struct.unpack(">i", prefix)[0])
                answer = self.answer(prefix + frame, frame)
                if answer is None:
                    break
                if answer:
                    peer.sendall(struct.pack(">i", len(answer)) + answer)
        except OSError:
            pass
        peer.close()

    def keep(self, api, version, whole):
        path = self.folder / f"{self.client}-{api}-v{version}.hex"
        if not path.exists():
            text = whole.hex()
            path.write_text("\n".join(text[i:i + 96] for i in range(0, len(text), 96)) + "\n")
            self.kept += 1

    def answer(self, whole, frame):
        key, version, correlation = struct.unpack(">hhi", frame[:8])
        api = self.schemas.name(key)
        low, high = self.ranges.get(key, (1, 0))
        if not low <= version <= high:
            if key != API_VERSIONS:
                return None
            body = self.schemas.encode("ApiVersionsResponse", 0, {
                "ErrorCode": UNSUPPORTED,
                "ApiKeys": [{"ApiKey": key, "MinVersion": low, "MaxVersion": high}],
            })
            return struct.pack(">i", correlation) + body
        self.keep(api, version, whole)
        flexible = self.schemas.flexible(api + "Request", version)
        (length,) = struct.unpack(">h", frame[8:10])
        body = frame[10 + max(length, 0) + (1 if flexible else 0):]
        request = self.schemas.decode(api + "Request", version, body)
        if key == 0 and request["Acks"] == 0:
            return b""
        header = struct.pack(">i", correlation) + (b"\0" if flexible and key != API_VERSIONS else b"")
        values = getattr(self, "on_" + api, lambda request: {})(request)
        return header + self.schemas.encode(api + "Response", version, values)

    # Answers say as little as a client accepts.

    def on_ApiVersions(self, request):
        return {"ApiKeys": [
            {"ApiKey": k, "MinVersion": 0 if k == 0 else low, "MaxVersion": high}
            for k, (low, high) in sorted(self.ranges.items())
        ]}

    def on_Metadata(self, request):
        asked = [t["Name"] or "orders" for t in request["Topics"] or []] or ["orders"]
        partition = {"PartitionIndex": 0, "LeaderId": 1, "LeaderEpoch": 3, "ReplicaNodes": [1], "IsrNodes": [1]}
        return {
            "Brokers": [{"NodeId": 1, "Host": "127.0.0.1", "Port": self.port}],
            "ClusterId": "capture", "ControllerId": 1,
            "Topics": [{"Name": n, "TopicId": TOPIC_ID, "Partitions": [partition]} for n in asked],
        }

    def on_Produce(self, request):
        for topic in request["TopicData"]:
            for partition in topic["PartitionData"]:
                self.batch = partition["Records"]
        return {"Responses": [
            {"Name": t["Name"], "TopicId": t["TopicId"],
             "PartitionResponses": [{"Index": p["Index"]} for p in t["PartitionData"]]}
            for t in request["TopicData"]
        ]}

    def on_Fetch(self, request):
        def partition(asked):
            fresh = asked["FetchOffset"] == 0
            return {"PartitionIndex": asked["Partition"], "HighWatermark": 1, "LastStableOffset": 1,
                    "LogStartOffset": 0, "AbortedTransactions": None, "Records": self.batch if fresh else b""}
        return {"Responses": [
            {"Topic": t["Topic"], "TopicId": t["TopicId"], "Partitions": [partition(p) for p in t["Partitions"]]}
            for t in request["Topics"]
        ]}

    def on_ListOffsets(self, request):
        return {"Topics": [
            {"Name": t["Name"], "Partitions": [
                {"PartitionIndex": p["PartitionIndex"], "Offset": 0 if p["Timestamp"] == -2 else 1, "LeaderEpoch": 3}
                for p in t["Partitions"]]}
            for t in request["Topics"]
        ]}

    def on_OffsetForLeaderEpoch(self, request):
        return {"Topics": [
            {"Topic": t["Topic"], "Partitions": [
                {"Partition": p["Partition"], "LeaderEpoch": p["LeaderEpoch"], "EndOffset": 1}
                for p in t["Partitions"]]}
            for t in request["Topics"]
        ]}

    def on_InitProducerId(self, request):
        return {"ProducerId": 4000, "ProducerEpoch": 0}

    def on_CreateTopics(self, request):
        return {"Topics": [{"Name": t["Name"], "TopicId": TOPIC_ID} for t in request["Topics"]]}

    def on_DeleteTopics(self, request):
        names = request["TopicNames"] or [t["Name"] for t in request["Topics"]]
        return {"Responses": [{"Name": n, "TopicId": TOPIC_ID} for n in names]}

    def on_CreatePartitions(self, request):
        return {"Results": [{"Name": t["Name"]} for t in request["Topics"]]}

    def on_DescribeConfigs(self, request):
        return {"Results": [
            {"ResourceType": r["ResourceType"], "ResourceName": r["ResourceName"]} for r in request["Resources"]
        ]}

    def on_DeleteRecords(self, request):
        return {"Topics": [
            {"Name": t["Name"], "Partitions": [
                {"PartitionIndex": p["PartitionIndex"], "LowWatermark": 1} for p in t["Partitions"]]}
            for t in request["Topics"]
        ]}

    def on_AlterConfigs(self, request):
        return {"Responses": [
            {"ResourceType": r["ResourceType"], "ResourceName": r["ResourceName"], "ErrorMessage": None}
            for r in request["Resources"]
        ]}

    on_IncrementalAlterConfigs = on_AlterConfigs

    def on_DescribeCluster(self, request):
        return {"ClusterId": "capture", "ControllerId": 1,
                "Brokers": [{"BrokerId": 1, "Host": "127.0.0.1", "Port": self.port}]}

    def on_FindCoordinator(self, request):
        found = {"NodeId": 1, "Host": "127.0.0.1", "Port": self.port, "ErrorCode": 15}
        return {**found, "Coordinators": [{**found, "Key": key} for key in request["CoordinatorKeys"]]}
