import Glibc
import NIOCore

/// What libFuzzer feeds: each target takes any bytes, and traps if the code under test does something it must not.
///
/// The target is named by the environment variable `FUZZ_TARGET`, so that one build serves all of them.
enum FuzzTarget: String, CaseIterable {
    case frames, requests, broker, batches, blocks, peers, commands, segments, sidecars, states

    static let chosen: FuzzTarget = {
        let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            print("FUZZ_TARGET is '\(name)', not one of: \(names)")
            exit(2)
        }
        return target
    }()

    func run(_ input: ByteBuffer) {
        switch self {
        case .frames: FrameTarget.run(input)
        case .requests: RequestTarget.run(input)
        case .broker: BrokerTarget.run(input)
        case .batches: BatchTarget.run(input)
        case .blocks: BlockTarget.run(input)
        case .peers: PeerTarget.run(input)
        case .commands: CommandTarget.run(input)
        case .segments, .sidecars, .states: StorageTarget.run(input, damaging: self)
        }
    }
}
