package cmpute

// Sign is the signature of a request for tests that send one.
func Sign(method, server, path, query, key, secret, nonce, timestamp string, cut bool) []byte {
	return signed{method: method, path: path, query: query, key: key, nonce: nonce, timestamp: timestamp}.signature(secret, server, cut)
}
