package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

const groupsPath = "/neap/v1/groups"

// protect and its opposite differ in one word.
func (s *shell) protect(isProtected bool) *cobra.Command {
	use, short, done := "protect GROUP", "Make a group refuse deletion", "Group %s is protected: deleting it is refused until neap unprotect.\n"
	if !isProtected {
		use, short, done = "unprotect GROUP", "Allow a protected group's deletion again", "Group %s is no longer protected.\n"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := json.Marshal(map[string]bool{"protected": isProtected})
			if err != nil {
				return err
			}
			return s.send(cmd, func(c *client) (request, string, error) {
				id, err := c.groupID(cmd.Context(), args[0])
				r := request{method: http.MethodPut, path: groupsPath + "/" + url.PathEscape(id) + "/protection", body: body}
				return r, fmt.Sprintf(done, id), err
			})
		},
	}
}

func (s *shell) undelete() *cobra.Command {
	return &cobra.Command{
		Use:   "undelete GROUP",
		Short: "Bring a deleted group back while its instances are still held",
		Long: "Bring a deleted group back while its instances are still held.\n\nGROUP is its id. `neap call neap.groups.list deleted=true` lists the groups that can be brought back; " +
			"how long they can is `--deletion-hold` of `neap up`.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.send(cmd, func(*client) (request, string, error) {
				r := request{method: http.MethodPost, path: groupsPath + "/" + url.PathEscape(args[0]) + "/undelete"}
				return r, fmt.Sprintf("Group %s is back.\n", args[0]), nil
			})
		},
	}
}

// send makes one request and says what it did.
func (s *shell) send(cmd *cobra.Command, prepare func(*client) (r request, done string, err error)) error {
	if err := s.checkOutput(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	r, done, err := prepare(c)
	if err != nil {
		return err
	}
	a, err := c.do(cmd.Context(), r)
	if err != nil {
		return err
	}
	return s.write(cmd.OutOrStdout(), page{raw: a.body, text: func(w io.Writer, _ bool) error {
		_, err := io.WriteString(w, done)
		return err
	}})
}
