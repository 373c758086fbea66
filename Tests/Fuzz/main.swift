import Glibc
import NIOCore

/// libFuzzer's own main, without the `main` symbol that a Swift executable has already.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

var argumentCount = CommandLine.argc
var arguments = CommandLine.unsafeArgv
if let directory = getenv("FUZZ_SEEDS") {
    try Seeds.write(FuzzTarget.chosen, to: String(cString: directory))
    exit(0)
}
exit(runFuzzer(&argumentCount, &arguments) { bytes, count in
    FuzzTarget.chosen.run(ByteBuffer(bytes: UnsafeBufferPointer(start: bytes, count: count)))
    return 0
})
