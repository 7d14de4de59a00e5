package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/neap-cloud/neap/internal/dial"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store"
)

// longestAnswer is how much of an answer is read, so that its connection can be used again. What it says is not looked at.
const longestAnswer = 64 << 10

// post makes one attempt to hand a letter over; trouble says why it failed, in words that give neither the receiver's address nor anything of ours away.
func (w *Webhooks) post(ctx context.Context, doc store.Doc[hook], l Letter) (trouble string) {
	secret, err := w.Secrets.Open(doc.Value.Secret, use(doc.ID))
	if err != nil {
		return fault.As(err).Sentence()
	}
	body, err := l.encode()
	if err != nil {
		return "the letter cannot be written as JSON"
	}
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodPost, doc.Value.URL, bytes.NewReader(body))
	if err != nil {
		return "the address cannot be used"
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Neap-Webhook/1")
	request.Header.Set(HeaderDelivery, l.ID)
	request.Header.Set(HeaderEvent, l.Type)
	request.Header.Set(HeaderSignature, Sign(secret, time.Now(), body))
	answer, err := w.client.Do(request)
	if err != nil {
		return words(err)
	}
	// The status counts: the rest is read for the connection's sake only.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, longestAnswer))
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return ""
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Sprintf("answered %d, and redirects are not followed", answer.StatusCode)
	}
	return fmt.Sprintf("answered %d", answer.StatusCode)
}

// words tells what kind of failure an error is.
func words(err error) string {
	var refused *dial.Refused
	var unresolved *net.DNSError
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("gave no answer within %s", answerTime)
	case errors.As(err, &unresolved):
		return "the host's name has no address"
	case errors.As(err, &certificate), errors.As(err, &unknown):
		return "the host's certificate is not valid"
	case errors.As(err, &record):
		return "the host does not speak TLS"
	}
	return "the connection failed"
}
