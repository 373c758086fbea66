import Histogram

/// A distribution of latencies in milliseconds.
struct LatencySummary: Encodable, Sendable {
    var p50: Double
    var p99: Double
    var p999: Double
    var max: Double

    /// - Parameter nanoseconds: what was measured.
    init(_ nanoseconds: Histogram<UInt64>) {
        func milliseconds(_ value: UInt64) -> Double { Double(value) / 1_000_000 }
        p50 = milliseconds(nanoseconds.valueAtPercentile(50))
        p99 = milliseconds(nanoseconds.valueAtPercentile(99))
        p999 = milliseconds(nanoseconds.valueAtPercentile(99.9))
        max = milliseconds(nanoseconds.totalCount == 0 ? 0 : nanoseconds.max)
    }

    var text: String {
        "p50 \(p50.fixed(3))  p99 \(p99.fixed(3))  p99.9 \(p999.fixed(3))  max \(max.fixed(3)) ms"
    }
}

extension Double {
    /// With that many digits after the point.
    func fixed(_ digits: Int) -> String {
        guard isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(self) * scale).rounded()
        guard scaled < 9e18 else { return "\(self)" }
        let sign = self < 0 && scaled > 0 ? "-" : ""
        let units = Int64(scaled) / Int64(scale)
        guard digits > 0 else { return "\(sign)\(units)" }
        let fraction = String(Int64(scaled) % Int64(scale))
        return "\(sign)\(units).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }
}
