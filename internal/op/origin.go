package op

import "net/http"

// AnyOrigin reports whether pages from anywhere may ask what is at this path; see Dialect.AnyOrigin.
func (s *Server) AnyOrigin(path string) bool {
	for _, prefix := range s.anyOrigin {
		if isBelow(path, prefix) {
			return true
		}
	}
	return false
}

// acrossOrigins tells browsers that pages may read the answer. It gives the request to go on with, nil when it was the browser's question beforehand and is answered.
func acrossOrigins(w http.ResponseWriter, r *http.Request) *http.Request {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodOptions:
		header := w.Header()
		header.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
		header.Set("Access-Control-Allow-Headers", "*")
		header.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodHead: // the server of net/http leaves the body out
		asked := *r
		asked.Method = http.MethodGet
		return &asked
	}
	return r
}
