/* The program that row proc/spawn_exit_wait starts: it ends at once. */
int main(void)
{
    return 0;
}
