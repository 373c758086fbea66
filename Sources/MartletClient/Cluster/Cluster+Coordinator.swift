import KafkaWire

extension Cluster {
    /// The broker that keeps a group, asked for once.
    ///
    /// - Throws: `broker`, for example with `COORDINATOR_NOT_AVAILABLE` while there is none.
    func coordinator(of group: String) async throws(KafkaClientError) -> Int32 {
        if let known = coordinators[group], metadata.brokers[known] != nil { return known }
        // From version 4 on the answer has another form, for many groups.
        let response = try await request(FindCoordinatorRequest { $0.key = group }, to: .any, maximumVersion: 3)
        guard response.errorCode == .none else {
            throw .broker(response.errorCode, "the coordinator of group \(group)", message: response.errorMessage)
        }
        if metadata.brokers[response.nodeID] == nil { try await refreshMetadata() }
        coordinators[group] = response.nodeID
        return response.nodeID
    }

    /// The broker thought to keep the group does not, or cannot be reached: the next request looks for it anew.
    func forgetCoordinator(of group: String) { coordinators[group] = nil }
}
