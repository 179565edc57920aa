NAME = 'camera'
CFLAGS = ['-I..']
GCC_LIST = ['camera']
