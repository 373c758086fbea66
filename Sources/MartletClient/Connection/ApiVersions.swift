import KafkaWire
import NIOCore

/// The versions one broker offers.
struct ApiVersions: Sendable {
    private var offered: [ApiKey: ClosedRange<Int16>] = [:]

    init() {}

    init(_ response: ApiVersionsResponse) {
        for api in response.apis where api.minVersion <= api.maxVersion {
            offered[api.api] = api.minVersion...api.maxVersion
        }
    }

    func offers(_ api: ApiKey) -> Bool { offered[api] != nil }

    /// The highest version that the broker, this client and `limit` have in common.
    func highest<Request: KafkaRequest>(
        of _: Request.Type, upTo limit: Int16 = .max
    ) throws(KafkaClientError) -> Int16 {
        guard let range = offered[Request.api] else {
            throw KafkaClientError(.unsupportedVersion, "the broker does not offer \(Request.api)")
        }
        let known = Request.versions
        let version = min(range.upperBound, known.upperBound, limit)
        guard version >= max(range.lowerBound, known.lowerBound) else {
            throw KafkaClientError(
                .unsupportedVersion,
                "the broker offers \(Request.api) \(range.lowerBound)–\(range.upperBound), "
                    + "this client speaks \(known.lowerBound)–\(min(known.upperBound, limit))"
            )
        }
        return version
    }
}

extension ApiVersions {
    /// What an ApiVersions response means to the connection that asked.
    enum Answer {
        case versions(ApiVersions)
        /// Ask again in this version.
        case retry(Int16)

        static func read(_ frame: ByteBuffer, askedIn version: Int16) -> Result<Answer, KafkaClientError> {
            var body = frame
            body.moveReaderIndex(forwardBy: 4)
            do throws(WireError) {
                // The error comes first in every version.
                let error = ErrorCode(rawValue: body.getInteger(at: body.readerIndex, as: Int16.self) ?? 0)
                if error == .unsupportedVersion, version > 0 {
                    let response = try ApiVersionsResponse(decoding: body, version: 0)
                    return .success(.retry(lower(than: version, offeredBy: response)))
                }
                guard error == .none else { return .failure(.broker(error, "ApiVersions")) }
                let response = try ApiVersionsResponse(decoding: body, version: version)
                return .success(.versions(ApiVersions(response)))
            } catch {
                return .failure(KafkaClientError(.invalidResponse, "ApiVersions response: \(error)"))
            }
        }

        /// The highest version the broker lists below the refused one, else 0, which every broker has.
        private static func lower(than refused: Int16, offeredBy response: ApiVersionsResponse) -> Int16 {
            guard let listed = response.apis.first(where: { $0.api == .apiVersions }) else { return 0 }
            return max(0, min(listed.maxVersion, refused - 1))
        }
    }
}
