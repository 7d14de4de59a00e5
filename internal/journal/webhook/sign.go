package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// The headers of a delivery.
const (
	HeaderSignature = "Neap-Signature"
	HeaderDelivery  = "Neap-Delivery"
	HeaderEvent     = "Neap-Event"
)

// Sign is the value of HeaderSignature: "t=…,v1=…", where v1 is the HMAC-SHA256, in hex, of the Unix seconds, a dot, and the body.
func Sign(secret []byte, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(signature(secret, stamp, body))
}

func signature(secret []byte, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	// A hash.Hash never returns an error from Write.
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify is what a receiver does: it fails unless one v1 of the header is right for the body and its time is within tolerance of now.
func Verify(secret []byte, header string, body []byte, now time.Time, tolerance time.Duration) error {
	stamp, right := "", false
	for part := range strings.SplitSeq(header, ",") {
		if value, is := strings.CutPrefix(part, "t="); is {
			stamp = value
		}
	}
	for part := range strings.SplitSeq(header, ",") {
		if value, is := strings.CutPrefix(part, "v1="); is {
			given, err := hex.DecodeString(value)
			right = right || err == nil && hmac.Equal(given, signature(secret, stamp, body))
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	switch {
	case err != nil || !right:
		return fault.Of(fault.Denied, "signature", "The signature is not right for this body and secret.")
	case now.Sub(time.Unix(seconds, 0)).Abs() > tolerance:
		return fault.Of(fault.Denied, "signature", "The signature is right, but not from now: the delivery may be a repeated old one.")
	}
	return nil
}
