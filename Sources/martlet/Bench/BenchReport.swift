import Histogram

/// What a measurement prints.
struct BenchReport: Encodable, Sendable {
    /// produce, consume or e2e.
    var kind: String
    /// How it was measured: option names and values.
    var settings: [String: String]
    var seconds: Double
    var requests: Int
    var records: Int
    var recordsPerSecond: Double
    var requestsPerSecond: Double
    /// Millions of bytes of batches on the wire.
    var megabytesPerSecond: Double
    /// Of the values, before compression; nil where the client doesn't know it.
    var payloadMegabytesPerSecond: Double?
    /// Milliseconds.
    var latency: LatencySummary
    /// Milliseconds, where it is not what ``latency`` is about.
    var acknowledgement: LatencySummary?
    var brokers: [ProcessUsage]
    var clientCPUSeconds: Double
    var limits: MachineLimits?

    init(_ kind: String, _ settings: [(String, String)], _ result: LoadRun.Result, limits: MachineLimits?) {
        self.kind = kind
        self.settings = Dictionary(settings, uniquingKeysWith: { first, _ in first })
        seconds = result.seconds
        requests = result.counts.requests
        records = result.counts.records
        recordsPerSecond = Double(records) / seconds
        requestsPerSecond = Double(requests) / seconds
        megabytesPerSecond = Double(result.counts.wireBytes) / 1e6 / seconds
        payloadMegabytesPerSecond =
            result.counts.payloadBytes > 0 ? Double(result.counts.payloadBytes) / 1e6 / seconds : nil
        latency = LatencySummary(result.latency)
        acknowledgement = result.acknowledgement.totalCount > 0 ? LatencySummary(result.acknowledgement) : nil
        brokers = result.brokers
        clientCPUSeconds = result.clientCPUSeconds
        self.limits = limits
    }

    var text: String {
        var rows = [
            ("records/s", recordsPerSecond.fixed(0)),
            ("MB/s", throughput),
            ("requests/s", requestsPerSecond.fixed(0)),
            ("latency", latency.text),
            ("measured", "\(seconds.fixed(2)) s, \(records) records, \(requests) requests"),
        ]
        if let acknowledgement { rows.append(("acknowledged", acknowledgement.text)) }
        for broker in brokers {
            let cores = (broker.cpuSeconds / seconds).fixed(2)
            let memory = (Double(broker.peakResidentBytes) / 1e6).fixed(0)
            let usage = "\(broker.cpuSeconds.fixed(2)) CPU s (\(cores) cores), peak \(memory) MB"
            rows.append(("broker \(broker.pid)", usage))
        }
        rows.append(("client", "\(clientCPUSeconds.fixed(2)) CPU s (\((clientCPUSeconds / seconds).fixed(2)) cores)"))
        let settings = settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        var table = Table([(kind, .left), (settings, .left)])
        for (name, value) in rows { table.add([name, value]) }
        var lines = [table.description]
        if let limits { lines += ["", limits.text, "", share(of: limits)] }
        return lines.joined(separator: "\n")
    }

    private var throughput: String {
        let wire = megabytesPerSecond.fixed(1)
        guard let payload = payloadMegabytesPerSecond else { return "\(wire) on the wire" }
        return "\(wire) on the wire, \(payload.fixed(1)) before compression"
    }

    /// How much of what the machine can do alone this was.
    private func share(of limits: MachineLimits) -> String {
        func percent(_ limit: Double) -> String { (megabytesPerSecond / limit * 100).fixed(1) + " %" }
        let disk = limits.disk.map(\.megabytesPerSecond).max() ?? 0
        return "This was \(percent(disk)) of the fastest flushed writing and "
            + "\(percent(limits.loopbackMegabytesPerSecond)) of one loopback connection."
    }
}
