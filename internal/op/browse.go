package op

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/neap-cloud/neap/internal/fault"
)

// browserFiles are the pages that make the OpenAPI documents readable; they need nothing from elsewhere.
//
//go:embed browser
var browserFiles embed.FS

// contentPolicy lets the pages load their own files and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// asset is a fixed answer, compressed once.
type asset struct {
	contentType string
	text, gzip  []byte
	tag         string
}

func newAsset(contentType string, text []byte) (*asset, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(text); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return &asset{contentType: contentType, text: text, gzip: packed.Bytes(), tag: `"` + hex.EncodeToString(sum[:8]) + `"`}, nil
}

func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for name, value := range map[string]string{
		"Content-Type": a.contentType, "ETag": a.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding",
		"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		header.Set(name, value)
	}
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	text := a.text
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		text = a.gzip
	}
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusOK)
	// A client that goes away while it is served misses only its own copy.
	_, _ = w.Write(text)
}

// serveDescription offers a dialect's document, written when it is first asked for.
func (s *Server) serveDescription(name string, d *description) {
	written := sync.OnceValues(func() (*asset, error) {
		text, err := d.write()
		if err != nil {
			return nil, err
		}
		return newAsset("application/json", text)
	})
	s.router.Get("/openapi/"+name+".json", func(w http.ResponseWriter, r *http.Request) {
		document, err := written()
		if err != nil {
			w.(*exchange).refuse(fault.As(err))
			return
		}
		document.ServeHTTP(w, r)
	})
}

// serveBrowser offers the index of dialects, one page per dialect, and their files.
func (s *Server) serveBrowser(dialects []Dialect) error {
	pages, err := template.ParseFS(browserFiles, "browser/*.html")
	if err != nil {
		return err
	}
	serve := func(route, page string, data any) error {
		var text bytes.Buffer
		if err := pages.ExecuteTemplate(&text, page, data); err != nil {
			return err
		}
		return s.serveAsset(route, "text/html; charset=utf-8", text.Bytes())
	}
	if err := serve("/openapi", "index.html", dialects); err != nil {
		return err
	}
	for _, d := range dialects {
		if err := serve("/openapi/"+d.Name, "dialect.html", d); err != nil {
			return err
		}
	}
	for _, name := range []string{"browse.css", "browse.js"} {
		text, err := browserFiles.ReadFile("browser/" + name)
		if err != nil {
			return err
		}
		if err := s.serveAsset("/openapi/files/"+name, mime.TypeByExtension(path.Ext(name)), text); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) serveAsset(route, contentType string, text []byte) error {
	a, err := newAsset(contentType, text)
	if err == nil {
		s.router.Method(http.MethodGet, route, a)
	}
	return err
}
