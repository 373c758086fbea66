import KafkaWire
import NIOCore
import Synchronization
import Testing

@testable import MartletClient

@Suite("Admin: groups", .timeLimit(.minutes(1)))
struct AdminGroupTests {
    /// A broker that coordinates every group.
    private func coordinator() async throws -> OneBroker {
        let one = try await OneBroker(partitions: 2)
        one.broker.update { script in
            script.answer(FindCoordinatorRequest.self) { _ in FindCoordinatorResponse { $0.nodeID = 0 } }
        }
        return one
    }

    @Test("a request goes to the coordinator, and is sent again to the next one")
    func moves() async throws {
        let one = try await OneBroker()
        let other = try await ScriptedBroker.start()
        let topic = one.topic
        let brokers: [Int32: BrokerAddress] = [0: one.broker.address, 1: other.address]
        let asked = Mutex(0)
        one.broker.update { script in
            script.metadata = { _ in topic.metadata(brokers) }
            script.answer(FindCoordinatorRequest.self) { request in
                FindCoordinatorResponse {
                    $0.errorCode = request.key == "g" ? .none : .invalidGroupID
                    $0.nodeID = asked.withLock { count in
                        count += 1
                        return count == 1 ? 0 : 1
                    }
                }
            }
            script.answer(DeleteGroupsRequest.self) { Self.deleted($0, .notCoordinator) }
        }
        other.update { script in
            script.metadata = { _ in topic.metadata(brokers) }
            script.answer(DeleteGroupsRequest.self) { Self.deleted($0, .none) }
        }
        let admin = Admin(one.client)
        try await admin.deleteGroup("g")
        #expect(other.versions(of: .deleteGroups).count == 1)
        await #expect(throws: KafkaClientError.self) { try await admin.deleteGroup("") }
        await admin.close()
        try await one.broker.stop()
        try await other.stop()
    }

    private static func deleted(_ request: DeleteGroupsRequest, _ code: ErrorCode) -> DeleteGroupsResponse {
        DeleteGroupsResponse {
            $0.results = request.groupsNames.map { name in
                .init {
                    $0.groupID = name
                    $0.errorCode = code
                }
            }
        }
    }

    @Test("a group that the newer protocol does not know is described by the classic one")
    func describe() async throws {
        let one = try await coordinator()
        var assignment = ByteBuffer()
        assignment.writeMultipleIntegers(Int16(1), Int32(1), Int16(6))
        assignment.writeString("orders")
        assignment.writeMultipleIntegers(Int32(2), Int32(1), Int32(0), Int32(-1))
        var subscription = ByteBuffer()
        subscription.writeMultipleIntegers(Int16(1), Int32(1), Int16(6))
        subscription.writeString("orders")
        one.broker.update { script in
            script.versions[.consumerGroupDescribe] = 0...1
            script.answer(ConsumerGroupDescribeRequest.self) { request in
                ConsumerGroupDescribeResponse {
                    $0.groups = [.init { $0.errorCode = request.groupIDs == ["new"] ? .none : .groupIDNotFound }]
                    $0.groups[0].groupState = "Stable"
                    $0.groups[0].groupEpoch = 9
                }
            }
            script.answer(DescribeGroupsRequest.self) { [assignment, subscription] request in
                DescribeGroupsResponse {
                    $0.groups = [
                        .init { group in
                            group.groupState = request.groups == ["old"] ? "Stable" : "Dead"
                            group.protocolData = "range"
                            group.members = [
                                .init {
                                    $0.memberID = "m"
                                    $0.clientID = "c"
                                    $0.memberMetadata = subscription
                                    $0.memberAssignment = assignment
                                }
                            ]
                        }
                    ]
                }
            }
        }
        let admin = Admin(one.client)
        let old = try await admin.describeGroup("old")
        #expect(old.type == .classic && old.state == "Stable" && old.assignor == "range" && old.coordinator == 0)
        let owned = [TopicPartition("orders", 1), TopicPartition("orders", 0)]
        #expect(old.members.map(\.assigned) == [owned])
        #expect(old.members.map(\.subscription) == [["orders"]])
        #expect(old.owner(of: owned[0])?.id == "m")
        let new = try await admin.describeGroup("new")
        #expect(new.type == .consumer && new.epoch == 9)
        let missing = await #expect(throws: KafkaClientError.self) { try await admin.describeGroup("none") }
        #expect(missing?.brokerError == .groupIDNotFound)
        await admin.close()
        try await one.broker.stop()
    }

    @Test("committed offsets are read and written by name", arguments: [7, 8, 9, 10] as [Int16])
    func offsets(version: Int16) async throws {
        let one = try await coordinator()
        let committed = Mutex<OffsetCommitRequest?>(nil)
        one.broker.update { script in
            script.versions[.offsetFetch] = 1...version
            script.answer(OffsetFetchRequest.self) { request in
                let partitions = ([(0, 5), (1, -1)] as [(Int32, Int64)]).map { index, offset in
                    OffsetFetchResponse.Partition {
                        $0.partitionIndex = index
                        $0.committedOffset = offset
                    }
                }
                return OffsetFetchResponse {
                    $0.topics = [
                        .init {
                            $0.name = "orders"
                            $0.partitions = partitions
                        }
                    ]
                    $0.groups = request.groups.map { _ in
                        .init {
                            $0.topics = [
                                .init {
                                    $0.name = "orders"
                                    $0.partitions = partitions
                                }
                            ]
                        }
                    }
                }
            }
            script.answer(OffsetCommitRequest.self) { request in
                committed.withLock { $0 = request }
                return OffsetCommitResponse {
                    $0.topics = request.topics.map { topic in
                        .init {
                            $0.name = topic.name
                            $0.partitions = topic.partitions.map { partition in
                                .init {
                                    $0.partitionIndex = partition.partitionIndex
                                    $0.errorCode = partition.committedOffset == 13 ? .unknownMemberID : .none
                                }
                            }
                        }
                    }
                }
            }
        }
        let admin = Admin(one.client)
        let found = try await admin.committedOffsets(of: "g")
        #expect(found.mapValues(\.offset) == [TopicPartition("orders", 0): 5])
        #expect(one.broker.versions(of: .offsetFetch) == [min(version, 9)])
        try await admin.alterCommittedOffsets(of: "g", to: [TopicPartition("orders", 1): 7])
        let sent = try #require(committed.withLock { $0 })
        #expect(sent.memberID.isEmpty && sent.generationIDOrMemberEpoch == -1)
        #expect(sent.topics.map(\.name) == ["orders"])
        #expect(sent.topics[0].partitions.map(\.committedOffset) == [7])
        let refused = await #expect(throws: KafkaClientError.self) {
            try await admin.alterCommittedOffsets(
                of: "g", to: [TopicPartition("orders", 0): 12, TopicPartition("orders", 1): 13])
        }
        #expect(refused?.brokerError == .unknownMemberID)
        await admin.close()
        try await one.broker.stop()
    }

    @Test("groups are gathered from all brokers")
    func list() async throws {
        let one = try await OneBroker()
        let other = try await ScriptedBroker.start()
        let topic = one.topic
        let brokers: [Int32: BrokerAddress] = [0: one.broker.address, 1: other.address]
        for (broker, name) in [(one.broker, "b"), (other, "a")] {
            broker.update { script in
                script.metadata = { _ in topic.metadata(brokers) }
                script.answer(ListGroupsRequest.self) { _ in
                    ListGroupsResponse {
                        $0.groups = [
                            .init {
                                $0.groupID = name
                                $0.groupState = "Empty"
                                $0.groupType = name == "a" ? "Consumer" : ""
                            }
                        ]
                    }
                }
            }
        }
        let admin = Admin(one.client)
        let groups = try await admin.listGroups()
        #expect(groups.map(\.id) == ["a", "b"])
        #expect(groups.map(\.coordinator) == [1, 0])
        #expect(groups.map(\.type) == [.consumer, nil])
        await admin.close()
        try await one.broker.stop()
        try await other.stop()
    }

    @Test("bytes that are no subscription and no assignment are nothing")
    func damage() {
        var endless = ByteBuffer()
        endless.writeMultipleIntegers(Int16(0), Int32.max, Int16(1))
        for bytes in [ByteBuffer(), ByteBuffer(string: "x"), endless, ByteBuffer(repeating: 0xFF, count: 40)] {
            #expect(ConsumerProtocol.subscription(bytes).isEmpty)
            #expect(ConsumerProtocol.assignment(bytes).isEmpty)
        }
    }
}
