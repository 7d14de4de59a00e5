package process

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const longestLine = 16 << 10

// splitter makes lines of what a stream brings: valid UTF-8 without NUL, which databases refuse, and at most longestLine bytes each.
type splitter struct {
	rest []byte // of a line that has not ended
	cut  bool   // a piece of the line was handed out already, so that nothing more of it is no empty line
}

// take gives the lines that more of the stream completes.
func (s *splitter) take(more []byte) []string {
	var lines []string
	for {
		end := bytes.IndexByte(more, '\n')
		if end < 0 {
			s.rest = append(s.rest, more...)
			return append(lines, s.pieces(false)...)
		}
		s.rest = append(s.rest, more[:end]...)
		lines = append(lines, s.finish()...)
		more = more[end+1:]
	}
}

// end gives what is left when the stream has ended.
func (s *splitter) end() []string {
	if len(s.rest) == 0 {
		return nil
	}
	return s.finish()
}

func (s *splitter) finish() []string {
	s.rest = bytes.TrimSuffix(s.rest, []byte{'\r'})
	lines := s.pieces(true)
	if len(lines) == 0 && !s.cut {
		lines = []string{""}
	}
	s.rest, s.cut = s.rest[:0], false
	return lines
}

// pieces takes from rest: all of it when the line is whole, else only pieces of full length.
func (s *splitter) pieces(whole bool) []string {
	if len(s.rest) < longestLine/3 && !whole {
		return nil // even if every byte becomes a replacement character
	}
	if whole && len(s.rest) <= longestLine && utf8.Valid(s.rest) && bytes.IndexByte(s.rest, 0) < 0 {
		if len(s.rest) == 0 {
			return nil
		}
		return []string{string(s.rest)}
	}
	var lines []string
	var text strings.Builder
	done := 0
	for at := 0; at < len(s.rest); {
		if !whole && !utf8.FullRune(s.rest[at:]) {
			break
		}
		r, size := utf8.DecodeRune(s.rest[at:])
		if r == 0 {
			r = utf8.RuneError
		}
		if text.Len()+utf8.RuneLen(r) > longestLine {
			lines = append(lines, text.String())
			text.Reset()
			done, s.cut = at, true
		}
		text.WriteRune(r)
		at += size
	}
	if whole && text.Len() > 0 {
		return append(lines, text.String())
	}
	s.rest = append(s.rest[:0], s.rest[done:]...)
	return lines
}
