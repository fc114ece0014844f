# Random sentences of twelve words: awk -f transformer.awk [-v n=SENTENCES]
BEGIN {
  srand(1)
  for (i = n ? n : 512; i > 0; i--) {
    printf "{\"words\": ["
    for (w = 0; w < 12; w++)
      printf "%s\"w%d\"", w ? ", " : "", int(1000 * rand())
    printf "], \"label\": \"%d\"}\n", int(5 * rand())
  }
}
