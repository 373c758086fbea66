import SegmentLog
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A directory that goes when the test is over.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/segment-log-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        Self.remove(path)
    }

    private static func remove(_ directory: String) {
        let files = POSIXFileSystem()
        for name in (try? files.list(directory)) ?? [] {
            let path = directory + "/" + name
            do { try files.unlink(path) } catch { remove(path) }
        }
        rmdir(directory)
    }
}
