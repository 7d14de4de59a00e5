package report

import ("os";"testing")

func TestZZShot(t *testing.T) {
	for n, r := range map[string]Report{"one": made(9,1), "many": made(40,1,2,3)} {
		f, _ := os.Create(os.Getenv("SHOT")+"/"+n+".html")
		if err := r.Page(f); err != nil { t.Fatal(err) }
		f.Close()
	}
}
