  1 kernel report line1
