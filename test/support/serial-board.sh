# What serial-board.ts runs when its power is on.
echo 'Firmware 1.0'
printf 'board login: '; read -r name
stty -echo; printf 'Password: '; read -r password; stty echo; echo
[ "$name:$password" = root:lava ] || { echo 'Login incorrect'; exit 1; }
export ENV= PS1='board:~# '
exec sh -i
