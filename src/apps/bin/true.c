/* true and false: nothing, with status 0 or 1 (STATUS, when it is compiled). */
int main(void)
{
    return STATUS;
}
